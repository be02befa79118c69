// SPDX-License-Identifier: Apache-2.0

package tokenizer

import "strings"

// matcher finds added tokens in text: from left to right, at each place the
// longest. Cost: O(n) for texts without beginnings of tokens, at most n times the
// longest token.
type matcher struct {
	next  map[uint64]uint32 // a tree: node · 256 + byte to node
	ids   []uint32          // of nodes that end a token, id + 1; node 0 is the root
	first string            // bytes that begin a token
}

func (m *matcher) add(content string, id uint32) {
	if m.next == nil {
		m.next, m.ids = map[uint64]uint32{}, []uint32{0}
	}
	if strings.IndexByte(m.first, content[0]) < 0 {
		m.first += content[:1]
	}
	at := uint32(0)
	for i := range len(content) {
		key := uint64(at)<<8 | uint64(content[i])
		next, ok := m.next[key]
		if !ok {
			next = uint32(len(m.ids))
			m.next[key] = next
			m.ids = append(m.ids, 0)
		}
		at = next
	}
	m.ids[at] = id + 1
}

// longest returns the id + 1 and length of the longest token in front of s.
func (m *matcher) longest(s string) (id uint32, n int) {
	at := uint32(0)
	for i := range len(s) {
		next, ok := m.next[uint64(at)<<8|uint64(s[i])]
		if !ok {
			break
		}
		if at = next; m.ids[at] != 0 {
			id, n = m.ids[at], i+1
		}
	}
	return id, n
}

// split calls between for each stretch of s between added tokens, none of them
// empty, and appends the tokens' ids to out, in order.
func (m *matcher) split(s string, out *[]uint32, between func(string)) {
	from := 0
	for i := 0; m.next != nil && i < len(s); {
		if strings.IndexByte(m.first, s[i]) < 0 {
			i++
			continue
		}
		id, n := m.longest(s[i:])
		if n == 0 {
			i++
			continue
		}
		if from < i {
			between(s[from:i])
		}
		*out = append(*out, id-1)
		i += n
		from = i
	}
	if from < len(s) {
		between(s[from:])
	}
}
