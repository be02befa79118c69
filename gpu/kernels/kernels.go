// SPDX-License-Identifier: Apache-2.0

package kernels

import (
	"embed"
	"strings"

	"github.com/openledger/openledger/internal/fx"
)

// PTX is what clang made of kernels.cu, for every card from compute capability
// 7.5 on. Tensor is that of tensor.cu, from 8.0 on.
var (
	//go:embed fx_sm75.ptx
	PTX string
	//go:embed tensor_sm80.ptx
	Tensor string
)

// Source are the headers in C, in the folder src.
//
//go:embed src/*.h
var Source embed.FS

// TensorMajor is the least compute capability of the image Tensor.
const TensorMajor = 8

// Params is how many parameters of 8 bytes each kernel takes: MaxAttrs attributes,
// MaxIn inputs, the output, the first item, how many items.
const (
	MaxAttrs = 8
	MaxIn    = 6
	Params   = MaxAttrs + MaxIn + 3
)

// Launch is one call of a kernel over items, which are independent: any range of
// them may be launched alone, in any order.
type Launch struct {
	Kernel   string
	Attrs    []uint64
	Items    uint64
	Threads  uint32 // of a block
	PerBlock uint64 // items that a block does at once
}

// Edges of the square tiles of outputs that one item of a matrix product is. They
// are those of src/tile.h and src/tensor.h.
const (
	gemmTile   = 128
	thinTile   = 32 // columns
	thinRows   = 8  // at most
	thinStep   = 16 // codes along k
	int8Tile   = 32
	tensorTile = 128
	tensorStep = 32 // codes along k
)

// Align is what the addresses of all codes of a launch are a multiple of if they are
// aligned, in bytes.
const Align = 16

// Plan says which kernels compute an operation, in order, on a card of compute
// capability major; from TensorMajor on it has the image Tensor. aligned: all codes
// are. The attributes must have passed fx.Check; sig is what it gave.
func Plan(op fx.Op, attrs []uint64, sig fx.Sig, major int, aligned bool) []Launch {
	l := Launch{Kernel: "ol_" + op.String(), Attrs: attrs, Items: sig.Out.Len, Threads: 256, PerBlock: 256}
	switch op {
	case fx.OpRedSum, fx.OpRedSumSq, fx.OpRedMax: // a warp per partial
		l.PerBlock = 8
	case fx.OpGemm:
		l.Items, l.PerBlock = attrs[0]*ceil(attrs[1], gemmTile)*ceil(attrs[2], gemmTile), 1
		switch limit := attrs[5]; {
		case attrs[1] <= thinRows && limit != fx.KFrom:
			l.Kernel, l.Threads, l.Items = "ol_gemm_thin", 128, attrs[0]*ceil(attrs[2], thinTile)
		case limit != fx.NoLimit:
			l.Kernel = [...]string{fx.NBelow: "ol_gemm_nbelow", fx.KBelow: "ol_gemm_kbelow", fx.KFrom: "ol_gemm_kfrom"}[limit]
		}
	case fx.OpGemmI8:
		k, g, tile := attrs[2], attrs[3], uint64(int8Tile)
		whole := func(n uint64) bool { return aligned && k%n == 0 && (g%n == 0 || g >= k) }
		l.PerBlock = 1
		if attrs[0] <= thinRows && whole(thinStep) {
			l.Kernel, l.Threads, l.Items = "ol_gemm_i8_thin", 128, ceil(attrs[1], thinTile)
			break
		}
		if major >= TensorMajor && whole(tensorStep) {
			l.Kernel, tile = "ol_gemm_i8_tensor", tensorTile
		}
		l.Items = ceil(attrs[0], tile) * ceil(attrs[1], tile)
	case fx.OpScatterChain: // ids that nobody has keep +0
		zero := Launch{Kernel: "ol_fill", Attrs: []uint64{uint64(fx.F32), sig.Out.Len, 0}, Items: sig.Out.Len, Threads: 256, PerBlock: 256}
		l.Items = attrs[0] * attrs[2]
		return []Launch{zero, l}
	case fx.OpQuantScale, fx.OpQuantI8: // a group
		l.Items = attrs[0] * ceil(attrs[1], attrs[2])
	case fx.OpTopK: // a column
		l.Items = attrs[0] * attrs[1]
	case fx.OpBenchFill: // 16 bytes
		l.Items = ceil(attrs[0], 16)
	}
	return []Launch{l}
}

func ceil(n, d uint64) uint64 { return (n + d - 1) / d }

// Range are items First … First+Count−1.
type Range struct{ First, Count uint64 }

// Slices cuts the items into n ranges, or a few more: never within a block, and where
// a range has many, into whole waves of blocks that a card runs at once, for what is
// left over keeps few of its multiprocessors busy.
func (l Launch) Slices(n, wave uint64) []Range {
	blocks := ceil(ceil(l.Items, l.PerBlock), max(n, 1))
	if wave > 0 && n > 1 && blocks > wave {
		blocks -= blocks % wave
	}
	size := blocks * l.PerBlock
	var out []Range
	for first := uint64(0); first < l.Items; first += size {
		out = append(out, Range{first, min(size, l.Items-first)})
	}
	return out
}

// Names lists the kernels of an image.
func Names(image string) []string {
	var out []string
	for part := range strings.SplitSeq(image, ".entry ") {
		if name, _, ok := strings.Cut(part, "("); ok && strings.HasPrefix(name, "ol_") {
			out = append(out, name)
		}
	}
	return out
}
