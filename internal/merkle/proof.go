// SPDX-License-Identifier: Apache-2.0

package merkle

import (
	"crypto/sha256"
	"fmt"
	"math/bits"
	"slices"
)

// maxBits is the number of binary levels of the state tree.
const maxBits = 256

// Terminal is the leaf at which the path of a proven key ends.
type Terminal struct {
	_         struct{} `cbor:",toarray"`
	KeyHash   [32]byte
	ValueHash [32]byte
}

// StateProof shows that a key has a value, or that it is absent (Value null).
//
// Terminal is what the path of the key ends at: for presence the leaf itself,
// for absence null (nothing there) or a leaf with another key hash that agrees
// with the key's on every bit above it. Bitmap is a bit list, least significant
// bit of the first byte first: bit i says whether the sibling i levels above
// the terminal is non-empty; one more bit, always 1 and the highest of the last
// byte, marks the end. Siblings are the non-empty ones, from the terminal
// upwards. Spec: STA-04.
type StateProof struct {
	_        struct{} `cbor:",toarray"`
	Key      []byte
	Value    *[]byte
	Terminal *Terminal
	Bitmap   []byte
	Siblings [][32]byte
}

// ProveState proves that key has value under root, or that it is absent if
// value is nil. The proof shares key and value.
//
// Errors: ErrSize, ErrValue if the tree says otherwise (the caller's flat value
// and tree have come apart), ErrNode, errors of r.
func ProveState(r NodeReader, root StateRoot, key, value []byte) (StateProof, error) {
	if err := checkKey(key); err != nil {
		return StateProof{}, err
	}
	w := walk{r: r, key: sha256.Sum256(key), limit: noLimit}
	if err := w.run(root); err != nil {
		return StateProof{}, err
	}
	p := StateProof{Key: key, Terminal: w.end, Bitmap: w.bitmap(), Siblings: w.listed()}
	present := w.end != nil && w.end.KeyHash == w.key
	if present != (value != nil) || present && w.end.ValueHash != sha256.Sum256(value) {
		return StateProof{}, fmt.Errorf("key %x: %w", key, ErrValue)
	}
	if present {
		p.Value = &value
	}
	return p, nil
}

// Present reports whether the proof is about a key that has a value.
func (p StateProof) Present() bool { return p.Value != nil }

// Verify checks the proof against the state root of a block header.
//
// Errors: ErrSize, ErrShape, ErrRoot. Cost: at most 260 hashes.
func (p StateProof) Verify(root [32]byte) error {
	depth, err := p.check()
	if err != nil {
		return err
	}
	key := sha256.Sum256(p.Key)
	h, err := p.terminalHash(key, depth)
	if err != nil {
		return err
	}
	h = climb(h, key, depth, p.Bitmap, p.Siblings)
	if h != root {
		return ErrRoot
	}
	return nil
}

// check looks at everything that needs no hashing and returns the depth.
func (p StateProof) check() (depth int, err error) {
	if err := checkKey(p.Key); err != nil {
		return 0, err
	}
	if p.Value != nil {
		if err := checkValue(*p.Value); err != nil {
			return 0, err
		}
	}
	depth, err = pathShape(p.Bitmap, p.Siblings)
	if err != nil {
		return 0, err
	}
	// A terminal beside nothing would stand one level higher.
	if depth > 0 && p.Bitmap[0]&1 == 0 {
		return 0, fmt.Errorf("empty sibling at the terminal: %w", ErrShape)
	}
	return depth, nil
}

// pathShape checks the bit list of a path and its siblings, and returns how many
// levels it has.
func pathShape(bitmap []byte, siblings [][32]byte) (depth int, err error) {
	n := len(bitmap)
	if n == 0 || n > maxBits/8+1 || bitmap[n-1] == 0 {
		return 0, fmt.Errorf("bitmap of %d bytes: %w", n, ErrShape)
	}
	depth = 8*n - 1 - bits.LeadingZeros8(bitmap[n-1])
	if depth > maxBits {
		return 0, fmt.Errorf("depth %d: %w", depth, ErrShape)
	}
	ones := 0
	for _, b := range bitmap {
		ones += bits.OnesCount8(b)
	}
	if ones-1 != len(siblings) {
		return 0, fmt.Errorf("%d siblings for %d bits: %w", len(siblings), ones-1, ErrShape)
	}
	for _, s := range siblings {
		if s == [32]byte{} {
			return 0, fmt.Errorf("empty sibling is listed: %w", ErrShape)
		}
	}
	return depth, nil
}

// climb hashes h, which stands depth levels below the root on the path of key, up
// to the root. Precondition: pathShape.
func climb(h, key [32]byte, depth int, bitmap []byte, siblings [][32]byte) [32]byte {
	next := 0
	for i := range depth {
		var sibling [32]byte
		if bitmap[i/8]>>(i%8)&1 == 1 {
			sibling = siblings[next]
			next++
		}
		if bitOf(key, depth-1-i) == 0 {
			h = hashNode(h, sibling)
		} else {
			h = hashNode(sibling, h)
		}
	}
	return h
}

// terminalHash returns the hash of the terminal if it fits the statement.
func (p StateProof) terminalHash(key [32]byte, depth int) ([32]byte, error) {
	t := p.Terminal
	if t == nil {
		if p.Present() {
			return [32]byte{}, fmt.Errorf("presence without a leaf: %w", ErrShape)
		}
		return [32]byte{}, nil
	}
	if p.Present() {
		if t.KeyHash != key || t.ValueHash != sha256.Sum256(*p.Value) {
			return [32]byte{}, fmt.Errorf("leaf of another key or value: %w", ErrShape)
		}
	} else if t.KeyHash == key || commonBits(t.KeyHash, key) < depth {
		return [32]byte{}, fmt.Errorf("leaf says nothing about the key: %w", ErrShape)
	}
	return hashStateLeaf(leaf{key: t.KeyHash, value: t.ValueHash}), nil
}

// noLimit lets a walk end at its terminal only.
const noLimit = -1

// walk follows one key from the root to its terminal, in binary steps, or to
// limit nibbles, whichever comes first.
type walk struct {
	r        NodeReader
	key      [32]byte
	limit    int
	siblings [][32]byte // from the root downwards, zero if empty
	end      *Terminal
}

func (w *walk) run(root StateRoot) error {
	c, err := root.top(w.r)
	if err != nil {
		return err
	}
	for depth := 0; c.ok; depth++ {
		if c.leaf {
			w.finish(c.of)
			return nil
		}
		if depth == w.limit {
			return nil
		}
		n, err := readInner(w.r, c, depth, w.key)
		if err != nil {
			return err
		}
		lo, hi := 0, 16
		x := nibble(w.key, depth)
		for hi-lo > 1 {
			if at, lone := loneLeaf(n, lo, hi); lone {
				w.finish(n[at].of)
				return nil
			} else if at < 0 {
				return nil
			}
			mid := (lo + hi) / 2
			var s [32]byte
			if x < mid {
				s, _, _ = fold(n[mid:hi])
				hi = mid
			} else {
				s, _, _ = fold(n[lo:mid])
				lo = mid
			}
			w.siblings = append(w.siblings, s)
		}
		c = n[x]
	}
	return nil
}

func (w *walk) finish(l leaf) { w.end = &Terminal{KeyHash: l.key, ValueHash: l.value} }

// listed returns the siblings that are not empty, from the end upwards.
func (w *walk) listed() [][32]byte {
	out := [][32]byte{}
	for _, s := range slices.Backward(w.siblings) {
		if s != [32]byte{} {
			out = append(out, s)
		}
	}
	return out
}

// bitmap renders the siblings as the bit list of StateProof.
func (w *walk) bitmap() []byte {
	n := len(w.siblings)
	b := make([]byte, n/8+1)
	for i := range n {
		if w.siblings[n-1-i] != [32]byte{} {
			b[i/8] |= 1 << (i % 8)
		}
	}
	b[n/8] |= 1 << (n % 8)
	return b
}

// loneLeaf looks at the children lo..hi-1 of n. If they are one leaf, it
// returns its slot and true; if there are none, -1; else any slot and false.
func loneLeaf(n *inner, lo, hi int) (at int, lone bool) {
	at = -1
	for x := lo; x < hi; x++ {
		if !n[x].ok {
			continue
		}
		if at >= 0 || !n[x].leaf {
			return x, false
		}
		at = x
	}
	return at, at >= 0
}

// bitOf returns bit i of h, most significant first.
func bitOf(h [32]byte, i int) byte { return h[i/8] >> (7 - i%8) & 1 }

// commonBits counts the leading bits on which a and b agree.
func commonBits(a, b [32]byte) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return maxBits
}
