// SPDX-License-Identifier: Apache-2.0

package content

import (
	"fmt"

	"github.com/openledger/openledger/internal/enc"
)

// maxSiblings is the depth of the tree of pages at MaxSize: 2^14 pages.
const maxSiblings = 14

// Page is the wire form of a node page: the chaining values of up to 1,024
// consecutive units and the siblings from the page's subtree to the root,
// lowest first. It proves nothing until VerifyPage has accepted it.
// Spec: P2P-13.
type Page struct {
	_        struct{} `cbor:",toarray"`
	Index    uint64   // first unit is Index·PageUnits
	CVs      []CV     // 1..PageUnits, exactly the units of this page
	Siblings []CV     // ≤ 14
}

// EncodePage returns the wire bytes of a page, at most 36 KiB. Spec: ENC-01.
func EncodePage(p Page) []byte { return enc.Encode(p) }

// DecodePage reads the wire form within its bounds: an index below 2^14, 1 to
// 1,024 values, at most 14 siblings. The page still proves nothing. Errors:
// ErrPage, which also wraps the errors of internal/enc.
func DecodePage(b []byte) (Page, error) {
	var p Page
	if err := enc.Decode(b, &p); err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrPage, err)
	}
	if p.Index >= 1<<maxSiblings || len(p.CVs) == 0 || len(p.CVs) > PageUnits || len(p.Siblings) > maxSiblings {
		return Page{}, fmt.Errorf("page %d with %d values and %d siblings: %w", p.Index, len(p.CVs), len(p.Siblings), ErrPage)
	}
	return p, nil
}

// Verified is a page that leads to an id. Only VerifyPage makes one with
// content; the zero value verifies no unit. Safe for concurrent use.
type Verified struct {
	size  uint64
	index uint64
	cvs   []CV
}

// VerifyPage checks p against the id of a content of size bytes and copies its
// values. The size is bound by the shape of the tree and counts as proved only
// once the last unit has verified. Errors: ErrID if id is not a BLAKE3 id,
// ErrSize, ErrPage. Cost: one compression per value.
func VerifyPage(id ID, size uint64, p Page) (Verified, error) {
	if err := id.Check(); err != nil {
		return Verified{}, err
	}
	if id.Code() != BLAKE3 {
		return Verified{}, fmt.Errorf("only BLAKE3 content has node pages: %w", ErrID)
	}
	want, err := pageLen(size, p.Index)
	if err != nil {
		return Verified{}, err
	}
	if len(p.CVs) != want {
		return Verified{}, fmt.Errorf("page %d has %d values, want %d: %w", p.Index, len(p.CVs), want, ErrPage)
	}
	pages := PageCount(size)
	cv := join(p.CVs, pages == 1)
	cv, err = climb(cv, p.Index, pages, p.Siblings)
	if err != nil {
		return Verified{}, err
	}
	if cv != CV(id.Hash()) {
		return Verified{}, fmt.Errorf("page %d leads to another content: %w", p.Index, ErrPage)
	}
	return Verified{size: size, index: p.Index, cvs: append([]CV(nil), p.CVs...)}, nil
}

// pageLen returns the number of units of page i. Errors: ErrSize.
func pageLen(size, i uint64) (int, error) {
	if size > MaxSize || i >= PageCount(size) {
		return 0, fmt.Errorf("page %d of %d bytes: %w", i, size, ErrSize)
	}
	return int(min(UnitCount(size)-i*PageUnits, PageUnits)), nil
}

// climb folds the siblings, lowest first, into cv, the value of leaf i of a
// tree with n leaves. Errors: ErrPage if the path has another length.
func climb(cv CV, i, n uint64, sibs []CV) (CV, error) {
	var right []bool // from the top down: does the path go right?
	for n > 1 {
		m := split(n)
		if r := i >= m; r {
			i, n, right = i-m, n-m, append(right, true)
		} else {
			n, right = m, append(right, false)
		}
	}
	if len(sibs) != len(right) {
		return CV{}, fmt.Errorf("%d siblings, want %d: %w", len(sibs), len(right), ErrPage)
	}
	for k, s := range sibs {
		top := len(right) - 1 - k
		if right[top] {
			cv = parent(s, cv, top == 0)
		} else {
			cv = parent(cv, s, top == 0)
		}
	}
	return cv, nil
}

// First returns the index of the first unit of the page.
func (v Verified) First() uint64 { return v.index * PageUnits }

// Len returns the number of units of the page, 0 for the zero value.
func (v Verified) Len() int { return len(v.cvs) }

// CVs returns a copy of the proved chaining values, in unit order.
func (v Verified) CVs() []CV { return append([]CV(nil), v.cvs...) }

// VerifyUnit checks that data is unit i of the content. i counts over the whole
// content. Call it before the bytes are written anywhere. Errors: ErrSize if
// the unit is not on this page, ErrUnit if length or bytes are wrong.
func (v Verified) VerifyUnit(i uint64, data []byte) error {
	if i < v.First() || i-v.First() >= uint64(len(v.cvs)) {
		return fmt.Errorf("unit %d is not on page %d: %w", i, v.index, ErrSize)
	}
	cv, err := UnitCV(v.size, i, data)
	if err != nil {
		return err
	}
	if cv != v.cvs[i-v.First()] {
		return fmt.Errorf("unit %d does not match its chaining value: %w", i, ErrUnit)
	}
	return nil
}
