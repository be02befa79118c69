// SPDX-License-Identifier: Apache-2.0

package tokenizer

// merge is the place of a pair in the list of merges, and the token it makes.
type merge struct{ rank, id uint32 }

func pairKey(left, right uint32) uint64 { return uint64(left)<<32 | uint64(right) }

// word is a linked list of tokens that are being merged, and a heap of the pairs
// that could be. Its memory is used again by the next word.
type word struct {
	id   []uint32
	next []int32 // the token after, len(id) at the end
	prev []int32 // the token before, -1 at the start
	heap []uint64
}

// gone marks a token that was merged into the one before it.
const gone = ^uint32(0)

// merge appends the tokens of s, a word of one byte or more: starting from single
// bytes, always the pair that stands first in the list of merges is merged, the
// leftmost of equal ones, until none is left. Cost: O(n log n), 28 n bytes at most.
func (w *word) merge(t *Tokenizer, s string, out []uint32) []uint32 {
	w.id, w.next, w.prev, w.heap = w.id[:0], w.next[:0], w.prev[:0], w.heap[:0]
	for i := range len(s) {
		w.id = append(w.id, t.single[s[i]])
		w.next = append(w.next, int32(i+1))
		w.prev = append(w.prev, int32(i-1))
	}
	for i := range len(s) - 1 {
		w.offer(t, int32(i))
	}
	for len(w.heap) > 0 {
		top := w.pop()
		i := int32(uint32(top))
		// An entry is stale if one of its tokens has become part of another.
		m, ok := w.mergeAt(t, i)
		if !ok || m.rank != uint32(top>>32) {
			continue
		}
		j := w.next[i]
		after := w.next[j]
		w.id[i], w.id[j], w.next[i] = m.id, gone, after
		if int(after) < len(w.id) {
			w.prev[after] = i
		}
		if before := w.prev[i]; before >= 0 {
			w.offer(t, before)
		}
		w.offer(t, i)
	}
	for i := int32(0); int(i) < len(w.id); i = w.next[i] {
		out = append(out, w.id[i])
	}
	return out
}

// mergeAt looks up the pair that begins at i.
func (w *word) mergeAt(t *Tokenizer, i int32) (merge, bool) {
	if w.id[i] == gone || int(w.next[i]) >= len(w.id) {
		return merge{}, false
	}
	m, ok := t.merges[pairKey(w.id[i], w.id[w.next[i]])]
	return m, ok
}

// offer puts the pair at i on the heap, ordered by rank and then by place.
func (w *word) offer(t *Tokenizer, i int32) {
	m, ok := w.mergeAt(t, i)
	if !ok {
		return
	}
	h := append(w.heap, uint64(m.rank)<<32|uint64(uint32(i)))
	for k := len(h) - 1; k > 0 && h[(k-1)/2] > h[k]; k = (k - 1) / 2 {
		h[(k-1)/2], h[k] = h[k], h[(k-1)/2]
	}
	w.heap = h
}

func (w *word) pop() uint64 {
	h := w.heap
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for k := 0; ; {
		c := 2*k + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1] < h[c] {
			c++
		}
		if h[k] <= h[c] {
			break
		}
		h[k], h[c] = h[c], h[k]
		k = c
	}
	w.heap = h
	return top
}
