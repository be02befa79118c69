// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"time"

	"github.com/openledger/openledger/rpc/api"
)

// Waits after a duty that failed: doubled from the first to the last.
const (
	dutyRetryMin = 250 * time.Millisecond
	dutyRetryMax = 4 * time.Second
)

// eachBlock runs f at the start and then whenever blocks with events of one of
// the topics are committed; without topics at each block. After an error it runs
// f again at the next block, but not at once: what failed may cost much.
func (n *Node) eachBlock(ctx context.Context, topics []string, f func(context.Context) error) {
	at := n.end()
	failed := f(ctx)
	for wait := dutyRetryMin; n.events.Wait(ctx, at) == nil; {
		if failed != nil {
			if !pause(ctx, wait) {
				return
			}
			wait = min(2*wait, dutyRetryMax)
		}
		head := n.end()
		if failed != nil || n.happened(ctx, at, topics) {
			if failed = f(ctx); failed == nil {
				wait = dutyRetryMin
			}
		}
		at = head
	}
}

// end is the cursor behind all committed events.
func (n *Node) end() api.Cursor {
	return api.Cursor{Height: n.chain.Head().Height, Seq: ^uint64(0)}
}

// happened reports whether an event of one of the topics was committed after at.
// Without topics, and when it cannot be told, something has.
func (n *Node) happened(ctx context.Context, at api.Cursor, topics []string) bool {
	if len(topics) == 0 {
		return true
	}
	if found, known := n.events.Any(at.Height, n.chain.Head().Height, topics); known {
		return found
	}
	page, err := n.events.Events(ctx, api.EventsParams{From: at, Topics: topics, Limit: 1})
	return err != nil || len(page.Items) > 0 || page.Next.Height < n.chain.Head().Height
}

// pause waits; false if ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
