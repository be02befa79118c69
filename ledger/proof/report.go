// SPDX-License-Identifier: Apache-2.0

package proof

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/enc"
)

// Errors of Verify and of the decoders. ErrFalse comes with the check that
// failed and its cause.
var (
	ErrFalse  = errors.New("FALSE")
	ErrTrust  = errors.New("nothing to trust: give a block hash or a validator set hash")
	ErrFormat = errors.New("not a statement")
)

// Report is the outcome of a verification: what was recomputed and found equal,
// in order, and what the statement does not show.
type Report struct {
	Passed []string `json:"passed"`
	Open   []string `json:"open"`
}

// String is the one line for a terminal: "valid: 7 checks".
func (r Report) String() string { return fmt.Sprintf("valid: %d checks", len(r.Passed)) }

// pass records a check that held.
func (r *Report) pass(format string, args ...any) {
	r.Passed = append(r.Passed, fmt.Sprintf(format, args...))
}

// open records something that is not shown.
func (r *Report) open(what string) { r.Open = append(r.Open, what) }

// fail names the check that failed.
func fail(check string, err error) error {
	if errors.Is(err, ErrTrust) || errors.Is(err, ErrFalse) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrFalse, check, err)
}

// failf is fail with a cause of its own.
func failf(check, format string, args ...any) error {
	return fail(check, fmt.Errorf(format, args...))
}

// decode reads the CBOR form of a statement and checks its format name.
func decode[T any](b []byte, format func(*T) (got, want string)) (T, error) {
	var v T
	if err := enc.Decode(b, &v); err != nil {
		return v, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if got, want := format(&v); got != want {
		var zero T
		return zero, fmt.Errorf("%w: format %q, want %q", ErrFormat, got, want)
	}
	return v, nil
}
