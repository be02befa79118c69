// SPDX-License-Identifier: Apache-2.0

package channel

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/openledger/openledger/internal/keys"
)

// SigText is a signature in JSON: 0x and 128 lower-case hex digits.
type SigText keys.Signature

// MarshalText returns the text form.
func (s SigText) MarshalText() ([]byte, error) {
	return []byte("0x" + hex.EncodeToString(s[:])), nil
}

// UnmarshalText reads the text form. Errors: ErrFormat.
func (s *SigText) UnmarshalText(b []byte) error {
	raw, ok := strings.CutPrefix(string(b), "0x")
	v, err := hex.DecodeString(raw)
	if !ok || err != nil || len(v) != len(s) || strings.ToLower(raw) != raw {
		return fmt.Errorf("%w: %q is no signature; write 0x and 128 lower-case hex digits", ErrFormat, b)
	}
	*s = SigText(v)
	return nil
}

type signedJSON struct {
	Voucher Voucher `json:"voucher"`
	Key     ID      `json:"key"`
	Sig     SigText `json:"sig"`
}

// MarshalJSON writes key and signature as hex text.
func (s SignedVoucher) MarshalJSON() ([]byte, error) {
	return json.Marshal(signedJSON{s.Voucher, ID(s.Key), SigText(s.Sig)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *SignedVoucher) UnmarshalJSON(b []byte) error {
	var j signedJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*s = SignedVoucher{Voucher: j.Voucher, Key: keys.PublicKey(j.Key), Sig: keys.Signature(j.Sig)}
	return nil
}
