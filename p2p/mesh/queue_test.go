// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/openledger/openledger/p2p/stream"
)

// read decodes a drained buffer into the frames' bodies.
func read(t interface{ Fatal(...any) }, buf []byte) []string {
	var out []string
	for r := bytes.NewReader(buf); r.Len() > 0; {
		b, err := stream.ReadFrame(r, MaxFrame)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

func TestQueueKeepsOrderAndCoalesces(t *testing.T) {
	q := newQueue()
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprint("frame ", i))
		q.push(Frame{Data: []byte(want[i]), View: uint64(100 - i)})
	}
	if got := read(t, q.drain(nil)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v", got)
	}
	if q.bytes != 0 || len(q.drain(nil)) != 0 {
		t.Error("the queue is not empty")
	}
}

func TestQueueDrainsInWritesOfBoundedSize(t *testing.T) {
	q := newQueue()
	for range 10 {
		q.push(Frame{Data: make([]byte, MaxFrame)})
	}
	writes := 0
	for buf := q.drain(nil); len(buf) > 0; buf = q.drain(nil) {
		if writes++; len(buf) > maxWrite {
			t.Fatalf("a write of %d bytes", len(buf))
		}
	}
	if writes != 10 {
		t.Errorf("%d writes", writes)
	}
}

func TestFullQueueDropsOldViewsFirstAndOwnVotesLast(t *testing.T) {
	q := newQueue()
	q.push(Frame{Data: []byte("own vote of view 1"), View: 1, Keep: true})
	q.push(Frame{Data: []byte("own vote of view 2"), View: 2, Keep: true})
	q.push(Frame{Data: []byte("batch of view 1"), View: 1})
	for range QueueFrames {
		q.push(Frame{Data: []byte("batch of view 2"), View: 2})
	}
	var all []string
	for buf := q.drain(nil); len(buf) > 0; buf = q.drain(nil) {
		all = append(all, read(t, buf)...)
	}
	if len(all) != QueueFrames || all[0] != "own vote of view 1" || all[1] != "own vote of view 2" || all[2] != "batch of view 2" {
		t.Errorf("%d frames, first %q", len(all), all[:3])
	}
	if q.dropped != 3 {
		t.Errorf("%d dropped, want the batch of view 1 and two of view 2", q.dropped)
	}
}

func TestFullQueueOfKeptFramesDropsTheOldest(t *testing.T) {
	q := newQueue()
	for i := range QueueFrames + 5 {
		q.push(Frame{Data: []byte(fmt.Sprint(i)), View: uint64(i), Keep: true})
	}
	q.push(Frame{Data: []byte("late"), View: 1 << 40})
	first := read(t, q.drain(nil))[0]
	if first != "5" {
		t.Errorf("first kept frame is %s, want 5", first)
	}
	if q.dropped != 6 {
		t.Errorf("%d dropped", q.dropped)
	}
}

// Whatever is pushed, the bounds hold, what is left is in order, and the newest
// kept frame is among it.
func TestQueueBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue()
		newest, kept := uint64(0), false
		n := rapid.IntRange(1, 80).Draw(t, "frames")
		for i := range n {
			f := Frame{View: rapid.Uint64Range(0, 9).Draw(t, "view"), Keep: rapid.Bool().Draw(t, "keep"),
				Data: make([]byte, rapid.IntRange(1, MaxFrame).Draw(t, "size"))}
			f.Data[0] = byte(i)
			if f.Keep && f.View >= newest {
				newest, kept = f.View, true
			}
			q.push(f)
			if q.bytes > QueueBytes || len(q.frames) > QueueFrames {
				t.Fatalf("%d frames of %d bytes", len(q.frames), q.bytes)
			}
		}
		last, found := -1, !kept
		for _, f := range q.frames {
			if int(f.Data[0]) <= last {
				t.Fatal("out of order")
			}
			last = int(f.Data[0])
			found = found || (f.Keep && f.View == newest)
		}
		if !found {
			t.Fatal("the newest own vote was dropped")
		}
	})
}
