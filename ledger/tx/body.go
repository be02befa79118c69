// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"github.com/openledger/openledger/internal/enc"
)

// DecodeBody reads what Body.Bytes wrote, for a signer who wants to see what a
// node built before signing it. Errors: as Decode.
func DecodeBody(b []byte) (Body, error) {
	var s Body
	if len(b) > MaxBytes {
		return s, Errorf(EncSize, "%d bytes, at most %d", len(b), MaxBytes)
	}
	// A body starts as it does inside an envelope, two bytes later.
	k, err := peekKind(append([]byte{0x84, format}, b[:min(len(b), 4)]...))
	if err != nil {
		return s, err
	}
	if s.Payload = New(k); s.Payload == nil {
		return s, Errorf(EncKind, "0x%04x", uint16(k))
	}
	if err := enc.Decode(b, &s); err != nil || s.Payload == nil || s.Kind != s.Payload.Kind() {
		return Body{}, Errorf(EncNonCanonical, "%v", err)
	}
	return s, nil
}
