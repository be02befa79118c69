// SPDX-License-Identifier: Apache-2.0

package tokenizer

import (
	"cmp"
	"container/heap"
	"slices"
)

// corpus is words as chains of symbols, one place for each byte. What is merged into
// the symbol before it is no place any more: its symbol is −1. A symbol is the index
// of its text.
type corpus struct {
	text []string // of each symbol
	size []int    // its bytes
	ids  map[string]int

	symbol     []int // of each place
	prev, next []int // −1 at the ends of a word
	times      []int // how often the place's word stands in the text

	pairs   map[[2]int]*stand
	touched map[[2]int]bool // more of them since best was asked
	queue   queue
}

// stand is how often two symbols stand side by side, and at which places, some of which are
// none any more.
type stand struct {
	n     int
	where []int
}

func newCorpus(alphabet []string) *corpus {
	c := &corpus{ids: map[string]int{}, pairs: map[[2]int]*stand{}, touched: map[[2]int]bool{}}
	for _, t := range alphabet {
		c.intern(t, 1)
	}
	return c
}

func (c *corpus) intern(t string, size int) int {
	id, ok := c.ids[t]
	if !ok {
		id = len(c.text)
		c.ids[t] = id
		c.text, c.size = append(c.text, t), append(c.size, size)
	}
	return id
}

// add appends a word.
func (c *corpus) add(word string, times int) {
	for i := range len(word) {
		at := len(c.symbol)
		c.symbol, c.times = append(c.symbol, int(word[i])), append(c.times, times)
		c.prev, c.next = append(c.prev, -1), append(c.next, -1)
		if i > 0 {
			c.prev[at], c.next[at-1] = at-1, at
			c.count(at-1, times)
		}
	}
}

// count changes the number of the pair that begins at a place.
func (c *corpus) count(at, n int) {
	k := [2]int{c.symbol[at], c.symbol[c.next[at]]}
	p := c.pairs[k]
	if p == nil {
		p = &stand{}
		c.pairs[k] = p
	}
	if p.n += n; n > 0 {
		p.where = append(p.where, at)
		c.touched[k] = true
	}
}

// best is the pair that stands most often, at least twice; of equal ones the first by
// text. None if there is no such pair of at most MaxToken bytes.
func (c *corpus) best() (best [2]int, ok bool) {
	push := func(k [2]int) {
		if p := c.pairs[k]; p != nil && p.n > 1 && c.size[k[0]]+c.size[k[1]] <= MaxToken {
			heap.Push(&c.queue, entry{k, p.n, c.text[k[0]], c.text[k[1]]})
		}
	}
	for k := range c.touched { // their order in the queue is that of less
		push(k)
	}
	clear(c.touched)
	for len(c.queue) > 0 {
		e := heap.Pop(&c.queue).(entry)
		if p := c.pairs[e.pair]; p != nil && p.n == e.n {
			return e.pair, true
		}
		push(e.pair) // there are fewer now
	}
	return best, false
}

// merge joins a pair wherever it stands, from left to right, and returns its text.
func (c *corpus) merge(k [2]int) string {
	text := c.text[k[0]] + c.text[k[1]]
	id := c.intern(text, c.size[k[0]]+c.size[k[1]])
	where := c.pairs[k].where
	slices.Sort(where)
	for _, at := range where {
		second := c.next[at]
		if c.symbol[at] != k[0] || second < 0 || c.symbol[second] != k[1] {
			continue
		}
		before, after, n := c.prev[at], c.next[second], c.times[at]
		c.count(at, -n)
		if before >= 0 {
			c.count(before, -n)
		}
		if after >= 0 {
			c.count(second, -n)
			c.prev[after] = at
		}
		c.symbol[at], c.symbol[second], c.next[at] = id, -1, after
		if before >= 0 {
			c.count(before, n)
		}
		if after >= 0 {
			c.count(at, n)
		}
	}
	delete(c.pairs, k)
	return text
}

// queue is a heap of pairs as they were counted.
type queue []entry

type entry struct {
	pair          [2]int
	n             int
	first, second string
}

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.first, b.first), cmp.Compare(a.second, b.second)) < 0
}
func (q *queue) Push(x any) { *q = append(*q, x.(entry)) }
func (q *queue) Pop() any {
	x := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return x
}
