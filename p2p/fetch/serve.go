// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"context"
	"encoding/binary"
	"io"
	"os"
	"time"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/enc"
	"github.com/openledger/openledger/p2p/peers"
	"github.com/openledger/openledger/p2p/stream"
)

// serve answers the requests of one blob/1 session in their order.
func (f *Fetcher) serve(ctx context.Context, from peers.ID, c *stream.Conn) {
	bucket := f.bucket(from)
	var open blob
	defer open.close()
	for ctx.Err() == nil {
		raw, err := c.ReadFrame()
		if err != nil {
			return
		}
		req, err := decodeRequest(raw)
		if err != nil {
			f.cfg.Book.Add(from, -peers.InvalidSync)
			_ = c.Close()
			return
		}
		body := f.piece(&open, req)
		if !pause(ctx, bucket.Reserve(float64(len(body)), time.Now())) {
			return
		}
		if err := c.WriteFrame(body); err != nil {
			return
		}
		f.bytes.Add(uint64(len(body)))
	}
}

// blob is the file that a session read last, so that a run of units opens it
// once.
type blob struct {
	id   content.ID
	file *os.File
	size uint64
}

func (b *blob) close() {
	if b.file != nil {
		_ = b.file.Close()
		b.file = nil
	}
}

// piece returns the answer to one request, ansAbsent if it cannot be given.
func (f *Fetcher) piece(b *blob, req request) []byte {
	absent := []byte{ansAbsent}
	if b.file == nil || b.id != req.ID {
		b.close()
		file, err := f.cfg.Store.Open(req.ID)
		if err != nil {
			return absent
		}
		info, err := file.Stat()
		if err != nil {
			_ = file.Close()
			return absent
		}
		*b = blob{id: req.ID, file: file, size: uint64(info.Size())}
	}
	switch req.Op {
	case opSize:
		return binary.BigEndian.AppendUint64([]byte{ansData}, b.size)
	case opPage:
		tree, err := f.cfg.Store.tree(req.ID)
		if err != nil {
			return absent
		}
		page, err := tree.Page(req.Index)
		if err != nil {
			return absent
		}
		return append([]byte{ansData}, enc.Encode(page)...)
	}
	n, err := content.UnitLen(b.size, req.Index)
	if err != nil {
		return absent
	}
	out := make([]byte, 1+n)
	if _, err := b.file.ReadAt(out[1:], int64(req.Index)*content.UnitSize); err != nil && err != io.EOF {
		return absent
	}
	f.served.Add(1)
	return out
}

// maxBuckets is how many peers' byte budgets are kept.
const maxBuckets = 1024

// bucket returns the byte budget of a peer; it outlives single streams.
func (f *Fetcher) bucket(id peers.ID) *peers.Bucket {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	b := f.buckets[id]
	if b == nil {
		if len(f.buckets) >= maxBuckets {
			for k, v := range f.buckets {
				if v.Full(now) {
					delete(f.buckets, k)
				}
			}
		}
		b = peers.NewBucket(f.cfg.Rate, f.cfg.Burst, now)
		if len(f.buckets) < maxBuckets {
			f.buckets[id] = b
		}
	}
	return b
}

// pause waits d and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
