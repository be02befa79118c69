// SPDX-License-Identifier: Apache-2.0

package train

import (
	"errors"
	"testing"

	"github.com/openledger/openledger/gpu/model"
)

// FuzzDecodeState: no input panics, and what is accepted has one encoding.
func FuzzDecodeState(f *testing.F) {
	j := tiny()
	arch := model.ArchOf(j.Spec)
	f.Add(Start(j.Spec).Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := DecodeState(arch, data)
		if err != nil {
			if !errors.Is(err, ErrSaved) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		if string(s.Encode()) != string(data) {
			t.Fatal("two encodings of one state")
		}
	})
}

// FuzzResume: a damaged file never panics, and a file that is accepted leads to
// the result of the whole run.
func FuzzResume(f *testing.F) {
	j := tiny()
	want, err := Run(j, Options{Save: func(b []byte) error { f.Add(b); return nil }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if data == nil {
			data = []byte{}
		}
		got, err := Run(j, Options{Resume: data})
		if err != nil {
			if !errors.Is(err, ErrSaved) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		// Leaves before the file are taken from it, so only the end must agree:
		// a commitment over false leaves is refused by every checker.
		if got.Leaves[2] != want.Leaves[2] && got.WeightsRoot == want.WeightsRoot && got.Leaves[2].In == want.Leaves[2].In {
			t.Fatal("the last leaf differs after equal states")
		}
	})
}
