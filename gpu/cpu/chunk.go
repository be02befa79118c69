// SPDX-License-Identifier: Apache-2.0

package cpu

import "unsafe"

const (
	hugePage   = 2 << 20
	leastChunk = 4 << 20  // of memory on huge pages; as the device grows an eighth of what it holds,
	mostChunk  = 64 << 20 // up to this
	leastPart  = 32 << 10 // smaller allocations stand alone
	line       = 64       // parts start on cache lines
)

// fresh returns new memory, its contents any. Parts of 32 KiB or more come from chunks
// on huge pages where the system has them: reading weights of 100 MB once per token
// is bound by looking up 4 KiB pages otherwise. A chunk lives as long as any part.
func (d *Device) fresh(size uint64) []byte {
	if size < leastPart {
		return words(size)
	}
	n := (size + line - 1) &^ (line - 1)
	if n > uint64(len(d.chunk)) {
		c := (max(n, min(max(d.used/8, leastChunk), mostChunk)) + hugePage - 1) &^ (hugePage - 1)
		raw := words(c + hugePage)
		at := -uintptr(unsafe.Pointer(&raw[0])) & (hugePage - 1)
		whole := raw[at:][:c:c]
		advise(whole)
		if rest := whole[n:]; len(rest) >= len(d.chunk) {
			d.chunk = rest
		}
		return whole[:size:n]
	}
	part := d.chunk[:size:n]
	d.chunk = d.chunk[n:]
	return part
}

// words is memory aligned for every type.
func words(size uint64) []byte {
	w := make([]uint64, (size+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), 8*len(w))[:size]
}
