// SPDX-License-Identifier: Apache-2.0

package content

import "fmt"

// Tree is the hash tree of one content down to its units: what a provider
// needs besides the bytes. Immutable; safe for concurrent use. Memory: 32 bytes
// per 64 KiB.
type Tree struct {
	id   ID
	size uint64
	cvs  []CV
}

// NewTree builds the tree from the chaining values of all units, for instance
// those of all verified pages, and checks that they lead to id. It copies cvs.
// Errors: ErrID, ErrSize, ErrPage.
func NewTree(id ID, size uint64, cvs []CV) (*Tree, error) {
	if err := id.Check(); err != nil {
		return nil, err
	}
	if size > MaxSize {
		return nil, fmt.Errorf("%d bytes: %w", size, ErrSize)
	}
	if uint64(len(cvs)) != UnitCount(size) {
		return nil, fmt.Errorf("%d values for %d units: %w", len(cvs), UnitCount(size), ErrPage)
	}
	t := &Tree{id: id, size: size, cvs: append([]CV(nil), cvs...)}
	if FromHash(BLAKE3, join(t.cvs, true)) != id {
		return nil, fmt.Errorf("values lead to another content: %w", ErrPage)
	}
	return t, nil
}

// ID returns the BLAKE3 id of the content.
func (t *Tree) ID() ID { return t.id }

// Size returns the size of the content in bytes.
func (t *Tree) Size() uint64 { return t.size }

// Page returns node page i. The slices belong to the caller. Errors: ErrSize.
// Cost: a tree of 64 MiB per page costs about 2,000 compressions for the
// siblings; providers of large contents keep the pages they made.
func (t *Tree) Page(i uint64) (Page, error) {
	n, err := pageLen(t.size, i)
	if err != nil {
		return Page{}, err
	}
	first := i * PageUnits
	p := Page{Index: i, CVs: append([]CV(nil), t.cvs[first:first+uint64(n)]...)}
	p.Siblings = siblings(t.cvs, i, PageCount(t.size))
	return p, nil
}

// siblings returns, lowest first, the values beside the path to page i of n.
func siblings(cvs []CV, i, n uint64) []CV {
	if n == 1 {
		return nil
	}
	m := split(n)
	l, r := cvs[:m*PageUnits], cvs[m*PageUnits:]
	if i < m {
		return append(siblings(l, i, m), join(r, false))
	}
	return append(siblings(r, i-m, n-m), join(l, false))
}

// Hasher computes the tree of a stream. It is an io.Writer that never fails.
// Not safe for concurrent use. Memory: one unit plus 32 bytes per unit.
type Hasher struct {
	buf  []byte
	size uint64
	cvs  []CV
}

// NewHasher returns an empty Hasher.
func NewHasher() *Hasher { return &Hasher{buf: make([]byte, 0, UnitSize)} }

// Write adds p to the content. It always returns len(p) and nil. The caller
// bounds the stream: content above MaxSize gets an id but no valid pages.
func (h *Hasher) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if len(h.buf) == UnitSize { // more follows, so this unit is not the root
			h.cvs = append(h.cvs, unitCV(uint64(len(h.cvs)), h.buf, false))
			h.buf = h.buf[:0]
		}
		k := copy(h.buf[len(h.buf):UnitSize], p)
		h.buf = h.buf[:len(h.buf)+k]
		p = p[k:]
	}
	h.size += uint64(n)
	return n, nil
}

// Tree returns the tree of the bytes written so far. Writing may go on after.
func (h *Hasher) Tree() *Tree {
	only := len(h.cvs) == 0
	cvs := append(append([]CV(nil), h.cvs...), unitCV(uint64(len(h.cvs)), h.buf, only))
	return &Tree{id: FromHash(BLAKE3, join(cvs, true)), size: h.size, cvs: cvs}
}

// ID returns the BLAKE3 id of the bytes written so far.
func (h *Hasher) ID() ID { return h.Tree().id }

// BuildTree returns the tree of b in one call.
func BuildTree(b []byte) *Tree {
	h := NewHasher()
	h.Write(b)
	return h.Tree()
}
