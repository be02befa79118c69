// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/state"
	"github.com/openledger/openledger/ledger/tx"
	"github.com/openledger/openledger/node/publish"
	"github.com/openledger/openledger/node/store"
	"github.com/openledger/openledger/p2p/gossip"
	"github.com/openledger/openledger/p2p/peers"
)

// announced keeps the newest announcement of each object, on disk.
type announced struct {
	local *store.Local
	mu    sync.Mutex
	early map[tx.ID][]byte // announcements of objects that are not on the ledger yet
}

// maxEarly bounds announcements that came before their transaction.
const maxEarly = 256

func newAnnounced(l *store.Local) *announced { return &announced{local: l, early: map[tx.ID][]byte{}} }

func announcedKey(id tx.ID) []byte { return append([]byte("announced/"), id[:]...) }

// get returns the announcement of an object; ok is false if none was heard.
func (a *announced) get(chainID [32]byte, id tx.ID) (publish.Announcement, bool) {
	b, err := a.local.Get(announcedKey(id))
	if err != nil {
		return publish.Announcement{}, false
	}
	out, err := publish.DecodeAnnouncement(chainID, b)
	return out, err == nil
}

func (a *announced) hold(id tx.ID, b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.early) >= maxEarly {
		clear(a.early)
	}
	a.early[id] = b
}

func (a *announced) takeEarly() map[tx.ID][]byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.early
	a.early = map[tx.ID][]byte{}
	return out
}

// errNotYet says that an announcement's object is not on the ledger.
var errNotYet = errors.New("object is not on the ledger yet")

// learn checks an announcement against the ledger and keeps it. Errors:
// publish.ErrManifest, errNotYet.
func (n *Node) learn(b []byte) (publish.Announcement, error) {
	a, err := publish.DecodeAnnouncement(n.chain.Env().ChainID, b)
	if err != nil {
		return a, err
	}
	v, err := n.view()
	if err != nil {
		return a, err
	}
	owner, err := objectOwner(v, a)
	if errors.Is(err, state.ErrUnknown) {
		n.objects.hold(a.ID, b)
		return a, errNotYet
	}
	if err != nil {
		return a, err
	}
	if owner != a.Owner() {
		return a, fmt.Errorf("%w: not signed by the owner", publish.ErrManifest)
	}
	if len(a.Manifest) > 0 {
		if _, err := n.blobs.PutDocument(a.Manifest); err != nil {
			return a, err
		}
	}
	return a, n.objects.local.Put(announcedKey(a.ID), b, false)
}

func objectOwner(v state.View, a publish.Announcement) (keys.Address, error) {
	if a.Kind == publish.KindModel {
		m, err := state.GetModel(v, a.ID)
		return m.Owner, err
	}
	d, err := state.GetDataset(v, a.ID)
	if err == nil && !d.Manifest.Matches(a.Manifest) {
		err = fmt.Errorf("%w: not the manifest on the ledger", publish.ErrManifest)
	}
	return d.Owner, err
}

// onManifest learns of a dataset or model from a peer.
func (n *Node) onManifest(_ context.Context, _ peers.ID, data []byte) gossip.Verdict {
	_, err := n.learn(data)
	switch {
	case err == nil:
		return gossip.Accept
	case errors.Is(err, publish.ErrManifest):
		return gossip.Reject
	}
	return gossip.Ignore
}

// retryEarly looks again at announcements whose objects were missing, and hands
// on those that are good now.
func (n *Node) retryEarly(ctx context.Context) error {
	for _, b := range n.objects.takeEarly() {
		if _, err := n.learn(b); err == nil {
			if err := n.out.publish(ctx, n.topics.manifest, b); err != nil {
				n.log.Debug("publish manifest", "err", err)
			}
		}
	}
	return nil
}

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
// on this machine also what peers have.
func (b blobs) ServeBlob(w http.ResponseWriter, r *http.Request, text string) {
	id, err := content.ParseID(text)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && net.ParseIP(host).IsLoopback() {
		if err := b.n.fetcher.Fetch(r.Context(), id, 0, nil, nil); err != nil {
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
	_, _ = io.Copy(w, f)
}
