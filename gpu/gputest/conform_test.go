// SPDX-License-Identifier: Apache-2.0

package gputest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/ref"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

func TestOP02TheReferenceConforms(t *testing.T) {
	d := ref.New(1 << 30)
	defer d.Close()
	Conform(t, d, Options{Cases: 12, Work: 1 << 14})
}

// faulty is a device with one fault.
type faulty struct {
	gpu.Device
	after func(n program.Node, in []gpu.Buffer, out gpu.Buffer)
}

func (f faulty) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	err := f.Device.Run(n, in, out)
	if err == nil {
		f.after(n, in, out)
	}
	return err
}

// flip changes one bit of one element.
func flip(d gpu.Device, b gpu.Buffer, i uint64, bit int) {
	data := make([]byte, b.Region().Len)
	d.Download(data, b)
	data[i*b.Type().Size()+uint64(bit/8)] ^= 1 << (bit % 8)
	d.Upload(b, data)
}

// log collects what Conform reports.
type log []string

func (l *log) Helper()                        {}
func (l *log) Errorf(format string, a ...any) { *l = append(*l, fmt.Sprintf(format, a...)) }

func TestOP02OneWrongBitIsSeenInEveryOperation(t *testing.T) {
	d := ref.New(1 << 30)
	defer d.Close()
	for _, op := range fx.Ops() {
		t.Run(op.String(), func(t *testing.T) {
			bad := faulty{d, func(n program.Node, _ []gpu.Buffer, out gpu.Buffer) {
				flip(d, out, out.Len()-1, 0)
			}}
			var l log
			Conform(&l, bad, Options{Cases: 1, Work: 1 << 12, Ops: []fx.Op{op}})
			if len(l) == 0 || !strings.Contains(l[0], "(1 bits differ)") && !strings.Contains(l[0], "the definition gives") {
				t.Errorf("a flipped bit is reported as %q", l)
			}
		})
	}
}

func TestOP02OtherFaultsAreSeen(t *testing.T) {
	d := ref.New(1 << 30)
	defer d.Close()
	for _, c := range []struct {
		name  string
		op    fx.Op
		after func(n program.Node, in []gpu.Buffer, out gpu.Buffer)
		want  string
	}{
		{"an input that changes", fx.OpMul, func(_ program.Node, in []gpu.Buffer, out gpu.Buffer) {
			if in[1].Region() != out.Region() {
				flip(d, in[1], 0, 3)
			}
		}, "input 1: was changed"},
		{"a NaN that keeps its payload", fx.OpNeg, func(_ program.Node, _ []gpu.Buffer, out gpu.Buffer) {
			data := make([]byte, out.Region().Len)
			d.Download(data, out)
			for i := range out.Len() {
				if gpu.Load(fx.F32, data, i) == fx.NaNBits {
					gpu.Store(fx.F32, data, i, 0xffc00000)
				}
			}
			d.Upload(out, data)
		}, "the definition gives 7fc00000"},
		{"subnormals flushed to zero", fx.OpScale, func(_ program.Node, _ []gpu.Buffer, out gpu.Buffer) {
			data := make([]byte, out.Region().Len)
			d.Download(data, out)
			for i := range out.Len() {
				if v := gpu.Load(fx.F32, data, i); v&0x7f800000 == 0 {
					gpu.Store(fx.F32, data, i, v&0x80000000)
				}
			}
			d.Upload(out, data)
		}, "the definition gives"},
		{"rows that depend on how many there are", fx.OpGemm, func(n program.Node, _ []gpu.Buffer, out gpu.Buffer) {
			if n.Attrs[1] == 1 && n.Attrs[0] == 1 {
				flip(d, out, 0, 0)
			}
		}, "other bits in pieces of its rows"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l log
			Conform(&l, faulty{d, c.after}, Options{Cases: 96, Work: 1 << 13, Ops: []fx.Op{c.op}})
			if !strings.Contains(strings.Join(l, "\n"), c.want) {
				t.Errorf("reported as %q, want %q", l, c.want)
			}
		})
	}
}

// careless accepts everything.
type careless struct{ gpu.Device }

func (careless) Run(program.Node, []gpu.Buffer, gpu.Buffer) error { return nil }

func TestGPU01WhatMustBeRefusedIsSeen(t *testing.T) {
	d := ref.New(1 << 20)
	defer d.Close()
	if errs := Refusals(d); len(errs) != 0 {
		t.Errorf("the reference accepts too much: %v", errs)
	}
	if errs := Refusals(careless{d}); len(errs) != 12 {
		t.Errorf("a device that runs anything gives %d errors, want 12: %v", len(errs), errs)
	}
}

// TestOP02CasesReachTheirEdges: the generator draws what its comments promise.
func TestOP02CasesReachTheirEdges(t *testing.T) {
	for _, op := range fx.Ops() {
		kinds := map[string]bool{}
		for n := range 24 {
			c := NewCase(op, 0, n, 1<<20)
			for k, a := range c.Sig.In {
				for i := range a.Len {
					if a.Type == fx.F32 {
						kinds[kind(gpu.Load(a.Type, c.In[k], i))] = true
					}
				}
			}
			if n == 0 && !reflect.DeepEqual(NewCase(op, 0, n, 1<<20), c) {
				t.Errorf("%s: case %d is not the same twice", op, n)
			}
		}
		c := NewCase(op, 0, 0, 1<<20)
		takesFloats := false
		for _, a := range c.Sig.In {
			takesFloats = takesFloats || a.Type == fx.F32
		}
		for _, want := range []string{"NaN with payload", "infinity", "+0", "-0", "subnormal", "normal"} {
			// A move draws its type, clip_scale has one element.
			if takesFloats && !kinds[want] && c.Sig.In[0].Len > 1 && len(kinds) > 0 && op > fx.OpCast {
				t.Errorf("%s never takes %s", op, want)
			}
		}
	}
}

func kind(b uint32) string {
	switch m := b & 0x7fffffff; {
	case m > 0x7f800000 && b != fx.NaNBits:
		return "NaN with payload"
	case m > 0x7f800000:
		return "NaN"
	case m == 0x7f800000:
		return "infinity"
	case b == 0:
		return "+0"
	case m == 0:
		return "-0"
	case m < 0x00800000:
		return "subnormal"
	}
	return "normal"
}
