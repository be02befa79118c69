// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
)

func TestBitmapRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Uint64Range(0, 100*content.UnitSize).Draw(t, "size")
		m := newBitmap(content.Sum([]byte("x")), size)
		for i := range content.UnitCount(size) {
			if rapid.Bool().Draw(t, "has") {
				m.set(i)
			}
		}
		got, err := decodeBitmap(m.encode())
		if err != nil || got.id != m.id || got.size != m.size || !bytes.Equal(got.bits, m.bits) {
			t.Fatalf("got %+v, %v; want %+v", got, err, m)
		}
	})
}

func TestBitmapRefuses(t *testing.T) {
	good := newBitmap(content.Sum(nil), 9*content.UnitSize)
	good.set(8)
	raw := good.encode()
	reseal := func(f func(b []byte) []byte) []byte { // with a right checksum
		return seal(f(append([]byte(nil), raw[:len(raw)-4]...)))
	}
	for name, b := range map[string][]byte{
		"nothing":                {},
		"another kind of file":   append([]byte("x"), raw[1:]...),
		"a flipped bit":          append(append([]byte(nil), raw[:50]...), append([]byte{raw[50] ^ 1}, raw[51:]...)...),
		"a cut file":             raw[:len(raw)-1],
		"an appended byte":       append(append([]byte(nil), raw...), 0),
		"too few bits":           reseal(func(b []byte) []byte { return b[:len(b)-1] }),
		"a bit past the end":     reseal(func(b []byte) []byte { b[len(b)-1] = 0xff; return b }),
		"an id of no known code": reseal(func(b []byte) []byte { b[len(mapMagic)] = 0x55; return b }),
		"an absurd size":         reseal(func(b []byte) []byte { b[len(mapMagic)+content.IDSize] = 0xff; return b }),
	} {
		if _, err := decodeBitmap(b); !errors.Is(err, ErrMap) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeBitmap(f *testing.F) {
	f.Add(newBitmap(content.Sum(nil), 9*content.UnitSize).encode())
	f.Add([]byte("olmap\x01"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := decodeBitmap(in)
		if err == nil && !bytes.Equal(m.encode(), in) {
			t.Fatal("two encodings of one map")
		}
	})
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add(enc.Encode(request{ID: content.Sum(nil), Op: opUnit, Index: 3}))
	f.Add([]byte{0x83, 0x40, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := decodeRequest(in)
		if err == nil && (r.ID.Check() != nil || r.Op > opUnit || !bytes.Equal(enc.Encode(r), in)) {
			t.Fatalf("accepted %+v", r)
		}
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	page, _ := content.BuildTree(make([]byte, 3*content.UnitSize)).Page(0)
	f.Add(append([]byte{ansData}, enc.Encode(page)...))
	f.Add([]byte{ansData, 0, 0, 0, 0, 0, 0, 0, 9})
	f.Add([]byte{ansAbsent})
	id := content.Sum(make([]byte, 3*content.UnitSize))
	f.Fuzz(func(t *testing.T, in []byte) {
		body, ok, err := decodeAnswer(in)
		if err != nil || !ok {
			return
		}
		if n, err := decodeSize(body); err == nil && n > content.MaxSize {
			t.Fatalf("size %d", n)
		}
		if p, err := decodePage(body); err == nil {
			if v, err := content.VerifyPage(id, 3*content.UnitSize, p); err == nil && v.Len() != 3 {
				t.Fatal("a forged page verified")
			}
		}
	})
}

func TestMessagesRefuse(t *testing.T) {
	id := content.Sum(nil)
	for name, b := range map[string][]byte{
		"no encoding":          []byte("x"),
		"an unknown operation": enc.Encode(request{ID: id, Op: 3}),
		"a size of a unit":     enc.Encode(request{ID: id, Op: opSize, Index: 1}),
	} {
		if _, err := decodeRequest(b); !errors.Is(err, ErrMessage) {
			t.Errorf("request of %s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"nothing": {}, "an unknown kind": {2}, "an absence with a body": {ansAbsent, 1},
	} {
		if _, _, err := decodeAnswer(b); !errors.Is(err, ErrMessage) {
			t.Errorf("answer of %s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"seven bytes": make([]byte, 7), "above the bound": {255, 0, 0, 0, 0, 0, 0, 0},
	} {
		if _, err := decodeSize(b); !errors.Is(err, ErrMessage) {
			t.Errorf("size of %s: %v", name, err)
		}
	}
}
