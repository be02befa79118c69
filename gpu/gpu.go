// SPDX-License-Identifier: Apache-2.0

package gpu

import (
	"errors"
	"fmt"

	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Errors of devices. Each tells the caller what to do.
var (
	// ErrMemory: the device has no room. Free something or take a smaller batch.
	ErrMemory = errors.New("not enough device memory")
	// ErrLost: the device is gone with all its buffers. Close it, open another and
	// start from the last saved state.
	ErrLost = errors.New("device lost")
	// ErrWrong: the device computed a bit that the definition does not have. It is
	// ErrLost too, and nothing that it computed may be used.
	ErrWrong = fmt.Errorf("%w: a computed bit is wrong", ErrLost)
	// ErrUnsupported: this device cannot run this operation at this size; gpu/cpu can.
	ErrUnsupported = errors.New("device does not support this operation")
	// ErrDeadline: the device did not finish in time. Treat it as lost.
	ErrDeadline = errors.New("device passed its deadline")
	// ErrArgs: a fault of the caller: wrong type, length, closed buffer or shared
	// memory. Nothing was changed.
	ErrArgs = errors.New("buffers do not fit the operation")
)

// Info describes a device.
type Info struct {
	// Name is the product, for example of a card; Backend is ref, cpu or cuda.
	Name, Backend string
	// Class is the device class of the market (TASK-03), for example cpu-slow.
	Class string
	// UUID names the device on this machine; empty for a CPU.
	UUID string
	// Memory is what Alloc may hand out in all, in bytes.
	Memory uint64
	// Threads is how many workers compute at once; 0 where that has no meaning.
	Threads int
}

// Region is where a buffer lies: Len bytes from byte Off of the allocation with
// number ID, which is never 0 and never used again by its device.
type Region struct {
	ID, Off, Len uint64
}

// Buffer is a tensor in the memory of one device, contiguous and row-major;
// operations give it dimensions. It belongs to the device that made it.
type Buffer interface {
	// Type is the type of its elements, Len their number.
	Type() fx.Type
	Len() uint64
	// Region says where it lies; buffers share memory only as a view does with its
	// origin.
	Region() Region
}

// Device runs operations on its own memory. All methods are called from one
// goroutine at a time. Errors: those of this package, tested by errors.Is. After
// ErrLost or ErrDeadline every call but Close fails. Spec: GPU-01.
type Device interface {
	Info() Info
	// Alloc returns n elements with undefined contents. n is 1 … fx.MaxLen.
	// Errors: ErrMemory, ErrArgs.
	Alloc(t fx.Type, n uint64) (Buffer, error)
	// View returns elements off … off+n−1 of b as a buffer that shares its memory; it
	// is gone with b. Errors: ErrArgs.
	View(b Buffer, off, n uint64) (Buffer, error)
	// Free gives memory back when what was issued before has run. Views need no Free.
	// Errors: ErrArgs for a buffer of another device, a view, or one already freed.
	Free(b Buffer) error
	// Upload copies src, little-endian elements, into all of dst. src may be changed
	// after the call. Bits are kept as they are, NaN payloads too. Errors: ErrArgs.
	Upload(dst Buffer, src []byte) error
	// Download waits for what was issued before and copies all of src into dst.
	// Errors: ErrArgs, and any error of an earlier Run.
	Download(dst []byte, src Buffer) error
	// Run computes out from in as n's operation and attributes say; n.In counts, its
	// values do not. It may return before the work is done; its error may then come
	// from Sync or Download. out may be the same region as an input only where Check
	// allows it, and overlap none otherwise. Errors: ErrArgs, ErrUnsupported.
	Run(n program.Node, in []Buffer, out Buffer) error
	// Sync waits for everything and returns the first error since the last Sync.
	Sync() error
	// Close frees everything. The device is unusable afterwards.
	Close() error
}

// Check verifies that buffers fit a node before a device runs it: attributes,
// types, lengths, and that out shares memory with no input, except exactly with
// one whose bit is set in fx.Sig.Same. Devices call it first in Run. Errors:
// ErrArgs. Spec: GPU-01.
func Check(n program.Node, in []Buffer, out Buffer) (fx.Sig, error) {
	s, err := n.Check()
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrArgs, err)
	}
	return s, checkBuffers(n.Op, &s, in, out)
}

func checkBuffers(op fx.Op, s *fx.Sig, in []Buffer, out Buffer) error {
	if len(in) != len(s.In) {
		return fmt.Errorf("%w: %s takes %d inputs, not %d", ErrArgs, op, len(s.In), len(in))
	}
	if err := fits(out, s.Out); err != nil {
		return fmt.Errorf("%w: %s: output: %w", ErrArgs, op, err)
	}
	o := out.Region()
	for k, b := range in {
		if err := fits(b, s.In[k]); err != nil {
			return fmt.Errorf("%w: %s: input %d: %w", ErrArgs, op, k, err)
		}
		r := b.Region()
		switch apart := r.ID != o.ID || r.Off+r.Len <= o.Off || o.Off+o.Len <= r.Off; {
		case apart:
		case r != o || s.Same>>k&1 == 0:
			return fmt.Errorf("%w: %s: the output overlaps input %d", ErrArgs, op, k)
		}
	}
	return nil
}

func fits(b Buffer, a fx.Arg) error {
	switch {
	case b == nil:
		return errors.New("no buffer")
	case b.Type() != a.Type || b.Len() != a.Len:
		return fmt.Errorf("wants %d of %s, not %d of %s", a.Len, a.Type, b.Len(), b.Type())
	}
	return nil
}
