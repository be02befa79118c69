// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"math"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Row is one measured operation.
type Row struct {
	Name    string  `json:"name"`
	Backend string  `json:"backend"`
	Device  string  `json:"device"`
	Shape   string  `json:"shape"`
	Threads int     `json:"threads"`
	Micros  float64 `json:"us"` // of one call, the fastest of all
	// Gflops counts a multiply-add as two, in 10⁹ a second; integer operations alike.
	Gflops float64 `json:"gflops"`
	// OfPeak is Gflops over that of the row "fma_peak"; 0 where the units differ.
	OfPeak float64 `json:"of_peak"`
	// GBs are bytes read and written once, in 10⁹ a second.
	GBs float64 `json:"gb_s"`
}

// Sizes of the operations.
type Sizes struct {
	Gemm uint64 // edge of the square product
	Wide uint64 // rows of the matrix of one decode step, and its columns
	Flat uint64 // elements of element operations and reductions
}

// Sizes for a CPU and for a card.
var (
	CPU  = Sizes{Gemm: 1024, Wide: 4096, Flat: 1 << 22}
	Card = Sizes{Gemm: 4096, Wide: 8192, Flat: 1 << 26}
)

// Fit makes sizes smaller, by halves, until no call of a row takes longer than about
// slowest, judged by small calls of the same operations, and all rows fit the
// device's memory. A device of the kind that they were chosen for keeps them. Errors:
// those of the device.
func Fit(d gpu.Device, s Sizes, slowest time.Duration) (Sizes, error) {
	small := Sizes{Gemm: 128, Wide: 256, Flat: 1 << 14}
	took := map[string]time.Duration{}
	for _, c := range cases(small) {
		r, err := measure(d, c)
		if err != nil {
			return s, fmt.Errorf("%s %s: %w", c.name, c.shape, err)
		}
		took[c.size] = max(took[c.size], time.Duration(r.Micros*1e3))
	}
	memory := d.Info().Memory
	fit := func(size string, from, to uint64, power, bytes float64) uint64 {
		for ; to > from; to /= 2 {
			work := math.Pow(float64(to)/float64(from), power)
			room := bytes * math.Pow(float64(to), min(power, 2))
			if work*float64(took[size]) <= float64(slowest) && (memory == 0 || room <= float64(memory)) {
				break
			}
		}
		return to
	}
	return Sizes{
		Gemm: fit("gemm", small.Gemm, s.Gemm, 3, 16),
		Wide: fit("wide", small.Wide, s.Wide, 2, 8),
		Flat: fit("flat", small.Flat, s.Flat, 1, 32),
	}, nil
}

// Peak runs independent multiply-adds in registers and returns how many floating
// point operations that were, two each, and how long they took; 0 if it cannot.
type Peak func() (flops float64, took time.Duration)

const (
	repeats = 5
	budget  = 2 * time.Second // of one row, after which no further repeat starts

	// Slowest is a good bound for Fit: a table in about a minute.
	Slowest = 2 * time.Second
)

// Run measures each row; the first is the peak. Errors: those of the device.
func Run(d gpu.Device, peak Peak, s Sizes) ([]Row, error) {
	i := d.Info()
	top := Row{Name: "fma_peak", Backend: i.Backend, Device: i.Name, Shape: "registers", Threads: i.Threads, OfPeak: 1}
	for range repeats {
		n, took := peak()
		if g := n / float64(took.Nanoseconds()); g > top.Gflops {
			top.Gflops, top.Micros = g, float64(took.Nanoseconds())/1e3
		}
	}
	rows := []Row{top}
	for _, c := range cases(s) {
		r, err := measure(d, c)
		if err != nil {
			return rows, fmt.Errorf("%s %s: %w", c.name, c.shape, err)
		}
		r.Backend, r.Device, r.Threads = i.Backend, i.Name, i.Threads
		if c.fma && top.Gflops > 0 {
			r.OfPeak = r.Gflops / top.Gflops
		}
		rows = append(rows, r)
	}
	return rows, nil
}

type benchCase struct {
	name, shape string
	size        string // that decides how long it takes
	op          fx.Op
	attrs       []uint64
	fma         bool // its unit is the peak's
}

func cases(s Sizes) []benchCase {
	g, w, n := s.Gemm, s.Wide, s.Flat
	gemm := func(m, n, k uint64) []uint64 { return []uint64{1, m, n, k, 1, fx.NoLimit, 0} }
	cube := fmt.Sprintf("%d×%d×%d", g, g, g)
	step := fmt.Sprintf("1×%d×%d", w, w)
	flat := fmt.Sprint(n)
	return []benchCase{
		{"gemm_nt", cube, "gemm", fx.OpGemm, gemm(g, g, g), true},
		{"gemm_nt", step, "wide", fx.OpGemm, gemm(1, w, w), true},
		{"gemm_i8", cube, "gemm", fx.OpGemmI8, []uint64{g, g, g, 128}, false},
		{"gemm_i8", step, "wide", fx.OpGemmI8, []uint64{1, w, w, 128}, false},
		{"exp", flat, "flat", fx.OpExp, []uint64{n}, true},
		{"silu", flat, "flat", fx.OpSilu, []uint64{n}, true},
		{"red_sum", fmt.Sprintf("%d rows of 4096", n/4096), "flat", fx.OpRedSum, []uint64{1, n / 4096, 4096, 0}, true},
		{"adamw_p", flat, "flat", fx.OpAdamP, []uint64{n, 0x322bcc77, 0x3c23d70a}, true},
		{"copy", flat, "flat", fx.OpCopy, []uint64{uint64(fx.F32), n}, false},
	}
}

func measure(d gpu.Device, c benchCase) (Row, error) {
	r := Row{Name: c.name, Shape: c.shape}
	sig, err := fx.Check(c.op, c.attrs)
	if err != nil {
		return r, err
	}
	in := make([]gpu.Buffer, len(sig.In))
	for k, a := range sig.In {
		if in[k], err = filled(d, a, uint64(k)); err != nil {
			return r, err
		}
		defer d.Free(in[k])
	}
	out, err := d.Alloc(sig.Out.Type, sig.Out.Len)
	if err != nil {
		return r, err
	}
	defer d.Free(out)
	n := program.Node{Op: c.op, Attrs: c.attrs, In: make([]uint64, len(in)), Shape: []uint64{sig.Out.Len}}
	var best time.Duration
	for i, start := 0, time.Now(); i < repeats && (i < 2 || time.Since(start) < budget); i++ {
		begin := time.Now()
		if err := d.Run(n, in, out); err != nil {
			return r, err
		}
		if err := d.Sync(); err != nil {
			return r, err
		}
		if took := time.Since(begin); i > 0 && (best == 0 || took < best) { // the first warms up
			best = took
		}
	}
	ns := float64(best.Nanoseconds())
	r.Micros = ns / 1e3
	r.Gflops = 2 * float64(sig.Cost.FMA+sig.Cost.MAC) / ns
	r.GBs = float64(sig.Cost.Bytes) / ns
	return r, nil
}

// filled is a tensor of numbers in [0, 1), or of codes.
func filled(d gpu.Device, a fx.Arg, stream uint64) (gpu.Buffer, error) {
	b, err := d.Alloc(a.Type, a.Len)
	if err != nil {
		return nil, err
	}
	n := program.Node{Op: fx.OpFillU01, Attrs: []uint64{a.Len, 1, stream, uint64(fx.PurposeBench)}, Shape: []uint64{a.Len}}
	switch a.Type {
	case fx.I8:
		n.Op, n.Attrs = fx.OpBenchFill, []uint64{a.Len, 1, stream}
	case fx.I32:
		n.Op, n.Attrs = fx.OpFillSeq, []uint64{a.Len, 1, 0}
	}
	if err := d.Run(n, nil, b); err != nil {
		return nil, err
	}
	return b, nil
}
