// SPDX-License-Identifier: Apache-2.0

package node

import (
	"sync"

	"github.com/openledger/openledger/p2p/peers"
)

// heights is what this node has heard of the chain beyond its own head: the
// newest finalization that it checked itself, and which peers had less than they
// claimed. It is safe for concurrent use.
type heights struct {
	mu     sync.Mutex
	proved uint64
	short  map[peers.ID]uint64 // what a peer had when it claimed more
}

func newHeights() *heights { return &heights{short: map[peers.ID]uint64{}} }

// prove notes a height whose finalization was checked.
func (h *heights) prove(height uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.proved = max(h.proved, height)
}

// maxShort bounds the peers that are remembered for claiming too much.
const maxShort = 1_024

// hadOnly notes that a peer had nothing above height.
func (h *heights) hadOnly(id peers.ID, height uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.short) >= maxShort {
		clear(h.short)
	}
	h.short[id] = height
}

// told forgets what a peer had: it says something new about itself.
func (h *heights) told(id peers.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.short, id)
}

// believed is a peer's claim as far as it was not found false.
func (h *heights) believed(id peers.ID, claim uint64) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if had, ok := h.short[id]; ok {
		return min(claim, had)
	}
	return claim
}

// top is the highest proved height.
func (h *heights) top() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.proved
}
