// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
)

// Statement is one of State, Receipt and Why.
type Statement interface {
	Verify(t Trust) (Report, error)
	// Epoch is the validator epoch of the header that anchors the statement, 0 if
	// there is none: whose set Trust.Set must be.
	Epoch() uint64
	Encode() []byte
}

// Open reads a statement file: the JSON form, or the exact bytes. Errors:
// ErrFormat; ErrFalse if the text of a JSON form differs from its exact bytes.
func Open(b []byte) (Statement, error) {
	if t := bytes.TrimLeft(b, " \t\r\n"); len(t) > 0 && t[0] == '{' {
		return openJSON(t)
	}
	if len(b) > enc.MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFormat, len(b), enc.MaxBytes)
	}
	if s, err := DecodeState(b); err == nil {
		return &s, nil
	}
	if s, err := DecodeReceipt(b); err == nil {
		return &s, nil
	}
	w, err := DecodeWhy(b)
	if err != nil {
		return nil, fmt.Errorf("%w: neither proof, receipt nor why", ErrFormat)
	}
	return &w, nil
}

func openJSON(b []byte) (Statement, error) {
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	var s Statement
	switch head.Format {
	case FormatState:
		s = &State{}
	case FormatReceipt:
		s = &Receipt{}
	case FormatWhy:
		s = &Why{}
	default:
		return nil, fmt.Errorf("%w: format %q", ErrFormat, head.Format)
	}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, err
	}
	return s, nil
}
