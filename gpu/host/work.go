// SPDX-License-Identifier: Apache-2.0

package host

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/gpu/cuda"
	"github.com/openledger/openledger/gpu/gputest"
	"github.com/openledger/openledger/gpu/proc"
	"github.com/openledger/openledger/gpu/shadow"
	"github.com/openledger/openledger/poa/program"
)

// ErrSelfTest means that a device does not compute as the definition says. It
// must not be used.
var ErrSelfTest = errors.New("self-test failed")

// OpenHere opens a card in this process, which is a worker, and locks the
// goroutine to its thread. Errors: ErrNoCard, and those of cuda.
func OpenHere(uuid string, memory uint64) (gpu.Device, error) {
	runtime.LockOSThread()
	cards, err := cuda.Cards()
	if err != nil {
		return nil, err
	}
	for _, c := range cards {
		if c.UUID == uuid {
			return cuda.Open(c, memory)
		}
	}
	return nil, fmt.Errorf("%w: %s (there are %d others)", ErrNoCard, uuid, len(cards))
}

// ErrNoCard means that there is no card with a name.
var ErrNoCard = errors.New("no such card on this machine")

// Work is a worker: it opens the card, tests it and serves it until its parent
// goes.
func Work(uuid string, l Limits) error {
	requests, replies, shared, err := proc.Files()
	if err != nil {
		return err
	}
	d, err := OpenHere(uuid, l.Memory)
	if err != nil {
		return err
	}
	if err := SelfTest(d, false); err != nil {
		return errors.Join(err, d.Close())
	}
	var seed [8]byte
	rand.Read(seed[:])
	watched := shadow.New(d, shadow.Options{Seed: binary.LittleEndian.Uint64(seed[:])})
	return proc.Serve(requests, replies, shared, &paced{Device: watched, share: l.Share, sleep: time.Sleep})
}

// SelfTest compares a device with the definition: each operation on three classes
// of shapes, or on many with exhaustive. Cost: about a second, or a minute.
// Errors: ErrSelfTest with operation and index. Spec: GPU-08.
func SelfTest(d gpu.Device, exhaustive bool) error {
	var t report
	o := gputest.Options{Cases: 3, Work: 1 << 14}
	if exhaustive {
		o = gputest.Options{Cases: 200, Work: 1 << 18}
	}
	gputest.Conform(&t, d, o)
	if len(t.faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d faults, the first: %s", ErrSelfTest, len(t.faults), t.faults[0])
}

// report collects what gputest finds.
type report struct{ faults []string }

func (r *report) Helper() {}
func (r *report) Errorf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// paced lets a card rest after each operation, so that it is busy for its share of
// the time. Spec: GPU-10.
type paced struct {
	gpu.Device
	share uint64
	sleep func(time.Duration)
	owed  time.Duration // rest that is still to come
}

// The most rest of one operation, of which up to 256 come in one message, and of one
// wait: together far less than a message may take. What is left over comes later.
const (
	shortRest = 100 * time.Millisecond
	longRest  = 30 * time.Second
)

// Run runs, waits for the end and rests.
func (p *paced) Run(n program.Node, in []gpu.Buffer, out gpu.Buffer) error {
	if p.share >= 100 {
		return p.Device.Run(n, in, out)
	}
	start := time.Now()
	if err := p.Device.Run(n, in, out); err != nil {
		return err
	}
	if err := p.Device.Sync(); err != nil {
		return err
	}
	p.owed += rest(time.Since(start), p.share)
	p.rest(shortRest)
	return nil
}

// Sync waits and rests.
func (p *paced) Sync() error {
	defer p.rest(longRest)
	return p.Device.Sync()
}

// Download copies and rests.
func (p *paced) Download(dst []byte, src gpu.Buffer) error {
	defer p.rest(longRest)
	return p.Device.Download(dst, src)
}

func (p *paced) rest(most time.Duration) {
	if now := min(p.owed, most); now > 0 {
		p.owed -= now
		p.sleep(now)
	}
}
