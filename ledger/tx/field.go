// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"bytes"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/internal/keys"
)

// Checks that several kinds share. Each returns nil or an *Error.

// checks returns the first error of a list, so that a kind's Check reads as one.
func checks(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

func positive(field string, a fixed.Amount) error {
	if a == 0 {
		return Errorf(EncField, "%s is zero", field)
	}
	return nil
}

func within(field string, v, low, high uint64) error {
	if v < low || v > high {
		return Errorf(EncField, "%s %d is not in %d..%d", field, v, low, high)
	}
	return nil
}

// name accepts 1..limit bytes of printable ASCII without leading or trailing
// space, so that two names that look alike are alike.
func name(field, s string, limit int) error {
	if len(s) == 0 || len(s) > limit {
		return Errorf(EncField, "%s has %d bytes, want 1..%d", field, len(s), limit)
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return Errorf(EncField, "%s has a byte that is not printable ASCII", field)
		}
	}
	if s[0] == ' ' || s[len(s)-1] == ' ' {
		return Errorf(EncField, "%s starts or ends with a space", field)
	}
	return nil
}

func account(field string, a keys.Address) error {
	if a.IsZero() {
		return Errorf(EncField, "%s is zero", field)
	}
	return nil
}

func object(field string, id ID) error {
	if id == (ID{}) {
		return Errorf(EncField, "%s is zero", field)
	}
	return nil
}

func blake3(field string, id content.ID) error { return cid(field, id, content.BLAKE3) }

func sha256cid(field string, id content.ID) error { return cid(field, id, content.SHA256) }

func cid(field string, id content.ID, want content.Code) error {
	if err := id.Check(); err != nil {
		return Errorf(EncField, "%s: %v", field, err)
	}
	if id.Code() != want {
		return Errorf(EncField, "%s has multihash code 0x%02x, want 0x%02x", field, byte(id.Code()), byte(want))
	}
	return nil
}

// set accepts 1..limit strictly ascending non-zero ids (ENC-03).
func set(field string, list []ID, limit int) error {
	if len(list) == 0 || len(list) > limit {
		return Errorf(EncField, "%s has %d entries, want 1..%d", field, len(list), limit)
	}
	if err := object(field, list[0]); err != nil {
		return err
	}
	for i := 1; i < len(list); i++ {
		if bytes.Compare(list[i-1][:], list[i][:]) >= 0 {
			return Errorf(EncOrder, "%s is not strictly ascending at %d", field, i)
		}
	}
	return nil
}
