// SPDX-License-Identifier: Apache-2.0

package content

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"testing"

	"github.com/multiformats/go-multihash"
	"github.com/openledger/openledger/internal/enc"
	"lukechampine.com/blake3"
	"pgregory.net/rapid"
)

var everyLength = flag.Bool("every-length", false, "compare the tree with the plain hash at all lengths 0..131,073")

func TestENC04IDsAreMultihashes(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("x"), pattern(5000)} {
		for _, c := range []struct {
			id   ID
			code uint64
		}{{Sum(b), multihash.BLAKE3}, {SumSHA256(b), multihash.SHA2_256}} {
			want, err := multihash.Sum(b, c.code, HashSize)
			if c.code == multihash.BLAKE3 { // the library registers it elsewhere
				h := blake3.Sum256(b)
				want, err = multihash.Encode(h[:], c.code)
			}
			if err != nil || !bytes.Equal(want, c.id[:]) {
				t.Errorf("id %x, multihash %x, %v", c.id, want, err)
			}
			d, err := multihash.Decode(c.id[:])
			if err != nil || d.Code != uint64(c.id.Code()) || d.Length != HashSize {
				t.Errorf("multihash reads %x as %v, %v", c.id, d, err)
			}
			if !c.id.Matches(b) || c.id.Matches(append([]byte{1}, b...)) {
				t.Errorf("%v does not tell its content", c.id)
			}
		}
	}
	if (ID{}).Matches(nil) {
		t.Error("the zero id matches nothing, yet it matched")
	}
}

func TestENC04IDTextAndEncoding(t *testing.T) {
	for _, id := range []ID{Sum(nil), SumSHA256([]byte("terms"))} {
		text, err := json.Marshal(id)
		var back, decoded ID
		if err != nil || json.Unmarshal(text, &back) != nil || back != id {
			t.Errorf("%s came back as %v", text, back)
		}
		if err := json.Unmarshal([]byte(`"b00"`), &back); !errors.Is(err, ErrID) || back != id {
			t.Errorf("bad text came back as %v, %v", back, err)
		}
		b := enc.Encode(id)
		if len(b) != IDSize+2 || enc.Decode(b, &decoded) != nil || decoded != id {
			t.Errorf("%x is decoded as %v", b, decoded)
		}
	}
	if _, err := json.Marshal(ID{}); !errors.Is(err, ErrID) {
		t.Errorf("the zero id reached JSON: %v", err)
	}
	for _, c := range badIDs() {
		if c.Text != "" {
			continue
		}
		var id ID
		if err := enc.Decode(enc.Encode(unhex(c.Hex)), &id); !errors.Is(err, enc.ErrMalformed) {
			t.Errorf("%s was decoded: %v", c.Name, err)
		}
	}
}

// TestP2P13TreeEqualsPlainHash compares the unit tree with the plain hash of
// every length up to 131,073 that is near a border of blocks, chunks, groups
// or units, and of every 61st length between; -every-length takes them all, in
// about ten seconds.
func TestP2P13TreeEqualsPlainHash(t *testing.T) {
	data := pattern(131_073)
	for n := 0; n <= len(data); n++ {
		if !*everyLength && n > 2200 && n%61 != 0 && (n+1)%1024 > 2 && n%UnitSize < UnitSize-66 {
			continue
		}
		if got, want := BuildTree(data[:n]).ID(), FromHash(BLAKE3, blake3.Sum256(data[:n])); got != want {
			t.Fatalf("%d bytes: tree %v, plain hash %v", n, got, want)
		}
	}
}

func TestP2P13TreeEqualsPlainHashOfLargerContent(t *testing.T) {
	data := pattern(12 << 20)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(131_073, len(data)).Draw(t, "size")
		h := NewHasher()
		for off := 0; off < n; {
			k := min(n-off, rapid.IntRange(1, 3<<20).Draw(t, "write"))
			if m, err := h.Write(data[off : off+k]); m != k || err != nil {
				t.Fatal(m, err)
			}
			off += k
		}
		if got, want := h.ID(), FromHash(BLAKE3, blake3.Sum256(data[:n])); got != want {
			t.Fatalf("%d bytes: tree %v, plain hash %v", n, got, want)
		}
	})
}

// TestP2P13TwoPagesOfRealBytes crosses the border of a page with bytes: every
// page verifies, every unit verifies, and no unit verifies in another place.
func TestP2P13TwoPagesOfRealBytes(t *testing.T) {
	data := pattern((PageUnits+2)*UnitSize + 5)
	size := uint64(len(data))
	tree := BuildTree(data)
	if want := FromHash(BLAKE3, blake3.Sum256(data)); tree.ID() != want || tree.Size() != size {
		t.Fatalf("tree %v of %d bytes, plain hash %v", tree.ID(), tree.Size(), want)
	}
	unit := func(i uint64) []byte { return data[i*UnitSize : min(size, (i+1)*UnitSize)] }
	var cvs []CV
	for i := range PageCount(size) {
		page, err := tree.Page(i)
		if err != nil {
			t.Fatal(err)
		}
		wire, err := DecodePage(EncodePage(page))
		if err != nil {
			t.Fatal(err)
		}
		v, err := VerifyPage(tree.ID(), size, wire)
		if err != nil {
			t.Fatalf("page %d: %v", i, err)
		}
		wire.CVs[0] = CV{} // the verified page must not notice
		for k := range uint64(v.Len()) {
			if err := v.VerifyUnit(v.First()+k, unit(v.First()+k)); err != nil {
				t.Fatalf("unit %d: %v", v.First()+k, err)
			}
		}
		cvs = append(cvs, v.CVs()...)
	}
	again, err := NewTree(tree.ID(), size, cvs)
	if err != nil || again.ID() != tree.ID() {
		t.Fatalf("the tree of all verified values: %v", err)
	}
	cvs[3][0] ^= 1
	if _, err := NewTree(tree.ID(), size, cvs); !errors.Is(err, ErrPage) {
		t.Fatalf("a wrong value: %v", err)
	}
}

func TestP2P13VerifyUnitRefuses(t *testing.T) {
	data := pattern(3*UnitSize + 100)
	tree, size := BuildTree(data), uint64(3*UnitSize+100)
	page, err := tree.Page(0)
	if err != nil {
		t.Fatal(err)
	}
	v, err := VerifyPage(tree.ID(), size, page)
	if err != nil {
		t.Fatal(err)
	}
	short, err := VerifyPage(tree.ID(), size-1, page) // the shape is the same
	if err != nil {
		t.Fatalf("a size that gives the same shape: %v", err)
	}
	unit := func(i int) []byte { return bytes.Clone(data[i*UnitSize : min(len(data), (i+1)*UnitSize)]) }
	flipped := unit(1)
	flipped[UnitSize-1] ^= 1
	for _, c := range []struct {
		name string
		v    Verified
		i    uint64
		data []byte
		want error
	}{
		{"a flipped bit", v, 1, flipped, ErrUnit},
		{"the neighbour's bytes", v, 1, unit(2), ErrUnit},
		{"a byte too few", v, 1, unit(1)[1:], ErrUnit},
		{"a byte too many", v, 1, append(unit(1), 0), ErrUnit},
		{"no bytes", v, 1, nil, ErrUnit},
		{"the last unit with zeros behind", v, 3, append(unit(3), make([]byte, UnitSize-100)...), ErrUnit},
		{"a unit past the end", v, 4, unit(3), ErrSize},
		{"a unit far past the end", v, 1<<64 - 1, unit(3), ErrSize},
		{"the zero page", Verified{}, 0, nil, ErrSize},
		{"a size that is one too small, at the last unit", short, 3, unit(3)[:99], ErrUnit},
	} {
		if err := c.v.VerifyUnit(c.i, c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := short.VerifyUnit(2, unit(2)); err != nil {
		t.Errorf("an inner unit does not depend on the size: %v", err)
	}
}

func TestP2P13SizeBoundsAreExact(t *testing.T) {
	if n := UnitCount(MaxSize); n != 1<<24 || PageCount(MaxSize) != 1<<maxSiblings {
		t.Errorf("%d units, %d pages at the bound", n, PageCount(MaxSize))
	}
	if n, err := UnitLen(MaxSize, 1<<24-1); n != UnitSize || err != nil {
		t.Errorf("last unit at the bound: %d, %v", n, err)
	}
	for _, c := range []struct{ size, i uint64 }{{MaxSize + 1, 0}, {1<<64 - 1, 0}, {0, 1}, {UnitSize, 1}, {UnitSize + 1, 2}} {
		if _, err := UnitLen(c.size, c.i); !errors.Is(err, ErrSize) {
			t.Errorf("unit %d of %d bytes: %v", c.i, c.size, err)
		}
	}
	if _, err := NewTree(Sum(nil), MaxSize+1, nil); !errors.Is(err, ErrSize) {
		t.Errorf("a tree above the bound: %v", err)
	}
	if _, err := NewTree(Sum(nil), 0, nil); !errors.Is(err, ErrPage) {
		t.Errorf("a tree without values: %v", err)
	}
	if _, err := BuildTree(nil).Page(1); !errors.Is(err, ErrSize) {
		t.Errorf("page 1 of nothing: %v", err)
	}
}

func TestP2P13PageBoundsAreExact(t *testing.T) {
	page := func(index uint64, cvs, sibs int) Page {
		return Page{Index: index, CVs: make([]CV, cvs), Siblings: make([]CV, sibs)}
	}
	for _, c := range []struct {
		name string
		p    Page
		ok   bool
	}{
		{"the smallest", page(0, 1, 0), true},
		{"the largest", page(1<<maxSiblings-1, PageUnits, maxSiblings), true},
		{"an index too large", page(1<<maxSiblings, 1, 0), false},
		{"no values", page(0, 0, 0), false},
		{"a value too many", page(0, PageUnits+1, 0), false},
		{"a sibling too many", page(0, 1, maxSiblings+1), false},
	} {
		if _, err := DecodePage(EncodePage(c.p)); (err == nil) != c.ok || (err != nil && !errors.Is(err, ErrPage)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	id := Sum([]byte("of another content"))
	if _, err := VerifyPage(id, MaxSize, page(1<<maxSiblings-1, PageUnits, maxSiblings)); !errors.Is(err, ErrPage) {
		t.Errorf("the last page of the largest content: %v", err)
	}
	if _, err := VerifyPage(id, MaxSize, page(1<<maxSiblings, PageUnits, maxSiblings)); !errors.Is(err, ErrSize) {
		t.Errorf("a page past the largest content: %v", err)
	}
}

// TestP2P13EveryPageOfAnyShapeVerifies checks pages of random tree shapes and
// that a page of one place never verifies in another.
func TestP2P13EveryPageOfAnyShapeVerifies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := madeUpTree(uint64(rapid.IntRange(2, 9*PageUnits).Draw(t, "units")))
		pages := PageCount(tree.Size())
		i := rapid.Uint64Range(0, pages-1).Draw(t, "page")
		p, err := tree.Page(i)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := VerifyPage(tree.ID(), tree.Size(), p); err != nil {
			t.Fatal(err)
		}
		if pages > 1 {
			p.Index = (i + 1 + rapid.Uint64Range(0, pages-2).Draw(t, "shift")) % pages
			if _, err := VerifyPage(tree.ID(), tree.Size(), p); err == nil {
				t.Fatalf("page %d passes as page %d", i, p.Index)
			}
		}
	})
}

func FuzzParseID(f *testing.F) {
	f.Add(Sum(nil).String())
	for _, c := range badIDs() {
		f.Add(c.Text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err == nil && (id.String() != s || id.Check() != nil) {
			t.Fatalf("%q is read as %v", s, id)
		}
		if id, err := FromBytes([]byte(s)); err == nil && (string(id[:]) != s || id.Check() != nil) {
			t.Fatalf("%x is read as %v", s, id)
		}
	})
}

// FuzzPage feeds bytes as a page of a true tree: only the true page verifies.
func FuzzPage(f *testing.F) {
	tree := madeUpTree(2*PageUnits + 3)
	p, err := tree.Page(2)
	if err != nil {
		f.Fatal(err)
	}
	truth := EncodePage(p)
	f.Add(truth, tree.Size())
	f.Add(EncodePage(Page{Index: 0, CVs: []CV{{}}}), uint64(0))
	f.Fuzz(func(t *testing.T, b []byte, size uint64) {
		p, err := DecodePage(b)
		if err != nil {
			return
		}
		if !bytes.Equal(EncodePage(p), b) {
			t.Fatalf("%x is not the encoding of what it decodes to", b)
		}
		v, err := VerifyPage(tree.ID(), size, p)
		if err == nil && size == tree.Size() && p.Index == 2 && !bytes.Equal(b, truth) {
			t.Fatalf("%x verifies", b)
		}
		if err == nil {
			_ = v.VerifyUnit(v.First(), b)
		}
	})
}

func BenchmarkBuildTree(b *testing.B) {
	data := pattern(8 << 20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		BuildTree(data)
	}
}

func BenchmarkPlainHash(b *testing.B) {
	data := pattern(8 << 20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		blake3.Sum256(data)
	}
}

func BenchmarkVerifyUnit(b *testing.B) {
	data := pattern(3 * UnitSize)
	tree := BuildTree(data)
	p, err := tree.Page(0)
	if err != nil {
		b.Fatal(err)
	}
	v, err := VerifyPage(tree.ID(), tree.Size(), p)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(UnitSize)
	for b.Loop() {
		if err := v.VerifyUnit(1, data[UnitSize:2*UnitSize]); err != nil {
			b.Fatal(err)
		}
	}
}
