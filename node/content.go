// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/p2p/peers"
)

// localFetch bounds how long a caller on this machine waits for what peers have.
const localFetch = 60 * time.Second

// Content returns the bytes of a blob, fetching it from peers if it is not here.
// object names the dataset or model whose announcement lists providers. Errors:
// those of fetch.Fetcher.
func (n *Node) Content(ctx context.Context, object tx.ID, id content.ID, size uint64) ([]byte, error) {
	var providers []peers.ID
	if a, ok := n.objects.get(n.chain.Env().ChainID, object); ok {
		for _, p := range a.Providers {
			if ai, err := peers.ParseAddr(p); err == nil && ai.ID != n.host.ID() {
				providers = append(providers, ai.ID)
			}
		}
	}
	if err := n.fetcher.Fetch(ctx, id, size, providers, nil); err != nil {
		return nil, fmt.Errorf("fetch %v: %w", id, err)
	}
	return n.blobs.Read(id, size)
}

// blobs implements rpc.Blobs.
type blobs struct{ n *Node }

// PutBlob implements rpc.Blobs.
func (b blobs) PutBlob(_ context.Context, r *http.Request) (string, int64, error) {
	id, size, err := b.n.blobs.Put(r.Body)
	return id.String(), int64(size), err
}

// ServeBlob implements rpc.Blobs: content that is on this disk, and for callers
// on this machine also what peers have, if it comes within a minute.
func (b blobs) ServeBlob(w http.ResponseWriter, r *http.Request, text string) {
	id, err := content.ParseID(text)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && net.ParseIP(host).IsLoopback() {
		ctx, cancel := context.WithTimeout(r.Context(), localFetch)
		defer cancel()
		if err := b.n.fetcher.Fetch(ctx, id, 0, nil, nil); err != nil {
			b.n.log.Debug("fetch for a local caller", "id", id, "err", err)
		}
	}
	f, err := b.n.blobs.Open(id)
	if err != nil && !b.n.blobs.Has(id) {
		http.Error(w, "no such content on this node", http.StatusNotFound)
		return
	}
	if err != nil {
		http.Error(w, "content cannot be read", http.StatusInternalServerError)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", strconv.Quote(text))
	http.ServeContent(w, r, "", time.Time{}, f)
}
