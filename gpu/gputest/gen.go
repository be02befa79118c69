// SPDX-License-Identifier: Apache-2.0

package gputest

import (
	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
)

// source is a seeded stream of words (splitmix64); equal seeds give equal cases
// everywhere.
type source struct{ state uint64 }

func newSource(seed uint64, op fx.Op, n int) *source {
	r := &source{seed}
	r.state = uint64(r.word())<<32 | uint64(op)<<16 | uint64(n)
	return r
}

func (r *source) word() uint32 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return uint32(z >> 32)
}

// below is a number in 0 … n−1; n is far below 2³².
func (r *source) below(n uint64) uint64 { return uint64(r.word()) * n >> 32 }

func (r *source) one(list ...uint64) uint64 { return list[r.below(uint64(len(list)))] }

// edges are lengths at and around the widths of registers, tiles and blocks.
var edges = []uint64{1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 31, 32, 33, 47, 48, 49, 63, 64, 65, 96, 100, 127, 128, 129,
	192, 255, 256, 257, 300, 384, 511, 512, 513, 768, 1000, 1023, 1024, 1025, 2047, 2049, 3000, 4095, 4096, 4097, 5000, 8191, 8192, 8193}

// dim is a length of at most most, at an edge or anywhere.
func (r *source) dim(most uint64) uint64 {
	if most <= 1 {
		return 1
	}
	if r.below(4) == 0 {
		return 1 + r.below(most)
	}
	n := 0
	for n < len(edges) && edges[n] <= most {
		n++
	}
	return edges[r.below(uint64(n))]
}

// spend draws a dimension and divides what is left of a budget by it.
func (r *source) spend(left *uint64, most uint64) uint64 {
	d := r.dim(min(*left, most))
	*left /= d
	return d
}

// The bits that hurt: NaN of many payloads, infinities, zeros, subnormals, the
// neighbours of one, of the greatest, of the limits of exp, of halves.
var hard = []uint32{
	0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001, 0x7fffffff, 0xffc12345, 0x7fa00000,
	0x7f800000, 0xff800000, 0, 0x80000000, 0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000, 0x80800000,
	0x3f800000, 0xbf800000, 0x3f7fffff, 0x3f800001, 0xbf800001, 0x7f7fffff, 0xff7fffff, 0x42b17218, 0x42b17219, 0xc2cff1b5, 0xc2cff1b6,
	0x3f000000, 0x3fc00000, 0x40200000, 0x4b400000, 0x4b000001, 0x41104000, 0x3f200000, 0x3f3504f3, 0x0d800000, 0x0d7fffff, 0xc2800000,
}

// styles of float contents.
const (
	styleNormal = iota // normals: sums round at every step
	styleHard          // one in eight is hard
	styleTiny          // products and sums are subnormal
	styleHuge          // products and sums overflow
	styleTies          // few values with short mantissas: ties and equal maxima
	styles
)

func (r *source) float(style uint64) uint32 {
	w := r.word()
	switch style {
	case styleHard:
		if w&7 == 0 {
			return hard[w>>8%uint32(len(hard))]
		}
	case styleTiny:
		return w&0x807fffff | (40+w>>24%50)<<23
	case styleHuge:
		return w&0x807fffff | (180+w>>24%75)<<23
	case styleTies:
		return fx.BitsOfInt(int32(w&7) - 3)
	}
	return w&0x807fffff | (120+w>>23%12)<<23
}

// fill makes the contents of one input. limit, if not 0, bounds useful indices.
func (r *source) fill(a fx.Arg, style, limit uint64) []byte {
	b := make([]byte, a.Len*a.Type.Size())
	for i := range a.Len {
		v := r.word()
		switch {
		case a.Type == fx.F32:
			v = r.float(style)
		case a.Type == fx.I32 && limit > 0 && v&15 != 0:
			v = uint32(r.below(limit + 1)) // limit itself is outside for an index
		case a.Type == fx.I32 && limit > 0:
			v = []uint32{0xffffffff, 0xffffff9c, 0x7fffffff, 0x80000000}[v>>8&3]
		case a.Type == fx.I8 && v&7 == 0:
			v = []uint32{127, 0x81, 0x80, 0}[v>>8&3]
		}
		gpu.Store(a.Type, b, i, v)
	}
	return b
}
