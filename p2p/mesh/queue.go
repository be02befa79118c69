// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"sync"

	"github.com/openledger/openledger/p2p/stream"
)

// Bounds of vote/1 (P2P-08, P2P-09).
const (
	MaxFrame    = 128 << 10 // bytes of one frame: a batch of 64 KiB and its envelope
	QueueFrames = 4096      // frames waiting for one validator
	QueueBytes  = 4 << 20   // bytes waiting for one validator
	maxWrite    = 256 << 10 // bytes drained into one write
)

// Frame is one outgoing message.
type Frame struct {
	// Data is the payload, 1..MaxFrame bytes. It is shared between queues and
	// must not change after it was handed over.
	Data []byte
	// View orders frames by age: when a queue is full, the lowest view goes.
	View uint64
	// Keep marks the sender's own votes: they go only after all other frames,
	// and the newest one never goes before another kept one.
	Keep bool
}

// queue is the bounded first-in-first-out list of one link. Safe for concurrent
// use. wake has one slot and is filled when a frame waits.
type queue struct {
	wake chan struct{}

	mu      sync.Mutex
	frames  []Frame
	bytes   int
	dropped uint64
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// push appends f and evicts what does not fit, possibly f itself.
func (q *queue) push(f Frame) {
	q.mu.Lock()
	q.frames = append(q.frames, f)
	q.bytes += len(f.Data)
	for len(q.frames) > QueueFrames || q.bytes > QueueBytes {
		q.evict()
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// evict removes the frame that matters least: not kept before kept, then the
// lowest view, then the earliest.
func (q *queue) evict() {
	worst := 0
	for i, f := range q.frames {
		w := q.frames[worst]
		if f.Keep != w.Keep {
			if w.Keep {
				worst = i
			}
			continue
		}
		if f.View < w.View {
			worst = i
		}
	}
	q.bytes -= len(q.frames[worst].Data)
	q.frames = append(q.frames[:worst], q.frames[worst+1:]...)
	q.dropped++
}

// drain appends waiting frames, with their length prefixes, to buf until the
// queue is empty or buf holds maxWrite bytes.
func (q *queue) drain(buf []byte) []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for n < len(q.frames) && (n == 0 || len(buf)+len(q.frames[n].Data)+stream.HeaderSize <= maxWrite) {
		buf = stream.AppendFrame(buf, q.frames[n].Data)
		q.bytes -= len(q.frames[n].Data)
		q.frames[n] = Frame{}
		n++
	}
	q.frames = q.frames[n:]
	if len(q.frames) == 0 {
		q.frames = nil // let go of the drained array
	}
	return buf
}
