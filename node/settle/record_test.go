// SPDX-License-Identifier: Apache-2.0

package settle

import (
	"bytes"
	"errors"
	"testing"

	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/ledger/channel"
	"github.com/openledger/openledger/node/store"
)

func TestDamagedRecordsAreNamedCorrupt(t *testing.T) {
	for name, key := range map[string][]byte{
		"a lane":             laneKey(laneID{ID{1}, ID{2}}),
		"a lane's key":       []byte(preLane + "short"),
		"the cursor":         []byte(keyCursor),
		"an unredeemed one":  openKey(laneID{ID{1}, ID{2}}, 3),
		"a book entry's key": append([]byte(preBook), make([]byte, 41)...),
	} {
		l := store.OpenMemory().Local()
		if err := l.Put(key, []byte{0xff}, false); err != nil {
			t.Fatal(err)
		}
		r := records{l}
		_, _, err1 := load[uint64](r, []byte(keyCursor))
		err2 := r.lanes(nil, func(laneID, laneRecord) bool { return true })
		_, err3 := r.open(laneID{ID{1}, ID{2}})
		_, err4 := r.book(bookID{})
		if err := errors.Join(err1, err2, err3, err4); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRecords: no record panics, and what is accepted has one encoding.
func FuzzRecords(f *testing.F) {
	f.Add(enc.Encode(laneRecord{Newest: channel.SignedVoucher{Voucher: channel.Voucher{Nonce: 1, Cum: 2, ExpiryMS: 3}}}))
	f.Add(enc.Encode(runRecord{First: 1, Amount: 2}))
	f.Add(enc.Encode(answerRecord{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []any{&laneRecord{}, &answerRecord{}, &runRecord{}} {
			if err := decodeRecord([]byte(preLane), b, v); err == nil && !bytes.Equal(enc.Encode(v), b) {
				t.Fatalf("two encodings of one %T", v)
			}
		}
	})
}
