// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// fromJSON reads the JSON form: text is what people read, exact is the CBOR of
// the same statement. Both must say the same.
func fromJSON[T any](b []byte, dec func([]byte) (T, error)) (T, error) {
	var zero T
	var j struct {
		Exact []byte `json:"exact"`
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return zero, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	v, err := dec(j.Exact)
	if err != nil {
		return zero, err
	}
	return v, sameText(b, v)
}

// sameText checks that the JSON text b is what v prints, apart from spaces and
// the order of members.
func sameText(b []byte, v any) error {
	again, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	got, err := canonical(b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	want, err := canonical(again)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if got != want {
		return fmt.Errorf("%w: the text differs from the exact bytes", ErrFalse)
	}
	return nil
}

// canonical re-prints JSON with sorted members and numbers as they stand.
func canonical(b []byte) (string, error) {
	v, err := parse(b)
	if err != nil {
		return "", err
	}
	out, err := json.Marshal(v)
	return string(out), err
}

// parse reads one JSON value without turning numbers into floats.
func parse(b []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one value")
	}
	return v, nil
}
