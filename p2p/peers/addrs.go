// SPDX-License-Identifier: Apache-2.0

package peers

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	storeBest = 64      // peers written to the file (P2P-07)
	maxStore  = 1 << 20 // bytes of the file that are read
)

// ErrStore reports a peer store file that cannot be read.
var ErrStore = errors.New("damaged peer store")

// stored is the file format: version 1, best peers first.
type stored struct {
	Version int          `json:"version"`
	Peers   []storedPeer `json:"peers"`
}

type storedPeer struct {
	ID       string   `json:"id"`
	Addrs    []string `json:"addrs,omitempty"`
	SeenMS   int64    `json:"seen_ms"`
	BanUntil int64    `json:"ban_until_ms,omitempty"`
	Bans     int      `json:"bans,omitempty"`
}

// Seen notes that id was up just now and can be reached at addrs, full
// addresses that end in its own /p2p/ part. Addresses of another peer, overlong
// ones and those past the eighth are left out.
func (b *Book) Seen(id ID, addrs []string) {
	keep := ownAddrs(id, addrs)
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.get(id)
	e.seen = b.cfg.Now()
	if len(keep) > 0 {
		e.addrs = keep
	}
}

// Heard notes addresses of id that another peer told. It never replaces what
// the peer itself said.
func (b *Book) Heard(id ID, addrs []string) {
	keep := ownAddrs(id, addrs)
	if len(keep) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.get(id); len(e.addrs) == 0 {
		e.addrs = keep
	}
}

// Known returns up to n peers that have an address, no ban and no negative
// score, most recently seen first.
func (b *Book) Known(n int) []peer.AddrInfo {
	type cand struct {
		id ID
		e  entry
	}
	b.mu.Lock()
	now := b.cfg.Now()
	var all []cand
	for id, e := range b.entries {
		if len(e.addrs) > 0 && !now.Before(e.banUntil) && e.decayed(now) >= 0 {
			all = append(all, cand{id, *e})
		}
	}
	b.mu.Unlock()
	slices.SortFunc(all, func(x, y cand) int {
		if c := y.e.seen.Compare(x.e.seen); c != 0 {
			return c
		}
		return strings.Compare(string(x.id), string(y.id))
	})
	var out []peer.AddrInfo
	for _, c := range all[:min(n, len(all))] {
		out = append(out, addrInfo(c.id, c.e.addrs))
	}
	return out
}

// Save writes the best 64 peers and all bans to the file, atomically. It does
// nothing without a file.
func (b *Book) Save() error {
	if b.cfg.File == "" {
		return nil
	}
	raw, err := json.MarshalIndent(b.export(), "", " ")
	if err != nil {
		return fmt.Errorf("peer store: %w", err)
	}
	tmp := b.cfg.File + ".tmp"
	if err := os.MkdirAll(filepath.Dir(b.cfg.File), 0o700); err != nil {
		return fmt.Errorf("peer store: %w", err)
	}
	if err := os.WriteFile(tmp, raw, 0o600); err != nil {
		return fmt.Errorf("peer store: %w", err)
	}
	if err := os.Rename(tmp, b.cfg.File); err != nil {
		return fmt.Errorf("peer store: %w", err)
	}
	return nil
}

func (b *Book) export() stored {
	out := stored{Version: 1}
	best := b.Known(storeBest)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.cfg.Now()
	for _, ai := range best {
		if e := b.entries[ai.ID]; e != nil {
			out.Peers = append(out.Peers, storedPeer{ID: ai.ID.String(), Addrs: e.addrs, SeenMS: e.seen.UnixMilli(), Bans: e.bans})
		}
	}
	var banned []storedPeer
	for id, e := range b.entries {
		if now.Before(e.banUntil) {
			banned = append(banned, storedPeer{ID: id.String(), SeenMS: e.seen.UnixMilli(), BanUntil: e.banUntil.UnixMilli(), Bans: e.bans})
		}
	}
	slices.SortFunc(banned, func(x, y storedPeer) int { return strings.Compare(x.ID, y.ID) })
	out.Peers = append(out.Peers, banned...)
	return out
}

// load reads the file into an empty book and ignores a damaged one.
func (b *Book) load() {
	if b.cfg.File == "" {
		return
	}
	raw, err := os.ReadFile(b.cfg.File)
	if err != nil {
		return
	}
	list, err := decodeStore(raw)
	if err != nil {
		return
	}
	for id, e := range list {
		if len(b.entries) < maxEntries {
			b.entries[id] = e
		}
	}
}

// decodeStore reads the file format. Errors: ErrStore.
func decodeStore(raw []byte) (map[ID]*entry, error) {
	if len(raw) > maxStore {
		return nil, fmt.Errorf("%d bytes: %w", len(raw), ErrStore)
	}
	var s stored
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	if s.Version != 1 || len(s.Peers) > maxEntries {
		return nil, fmt.Errorf("version %d with %d peers: %w", s.Version, len(s.Peers), ErrStore)
	}
	out := make(map[ID]*entry)
	for _, p := range s.Peers {
		id, err := peer.Decode(p.ID)
		if err != nil {
			return nil, fmt.Errorf("peer %.80q: %w", p.ID, ErrStore)
		}
		e := &entry{seen: time.UnixMilli(p.SeenMS), bans: max(0, min(p.Bans, 5)), addrs: ownAddrs(id, p.Addrs)}
		if p.BanUntil > 0 {
			e.banUntil = time.UnixMilli(p.BanUntil)
		}
		out[id] = e
	}
	return out, nil
}

// ownAddrs keeps well-formed full addresses of id, at most maxAddrs.
func ownAddrs(id ID, addrs []string) []string {
	var keep []string
	for _, s := range addrs {
		if len(keep) == maxAddrs {
			break
		}
		if len(s) > maxAddrLen || slices.Contains(keep, s) {
			continue
		}
		if ai, err := ParseAddr(s); err == nil && ai.ID == id {
			keep = append(keep, s)
		}
	}
	return keep
}

// Widest returns the address that most others can reach: a public one before a
// private one before loopback, names first of all. Empty for an empty list.
func Widest(addrs []string) string {
	best, rank := "", -1
	for _, s := range addrs {
		ai, err := ParseAddr(s)
		if err != nil {
			continue
		}
		r := 3
		if ip, ok := addrIP(ai.Addrs[0]); ok {
			switch {
			case ip.IsLoopback() || ip.IsUnspecified():
				r = 0
			case isPrivate(ip):
				r = 1
			default:
				r = 2
			}
		}
		if r > rank {
			best, rank = s, r
		}
	}
	return best
}

// addrInfo joins addresses that ownAddrs accepted.
func addrInfo(id ID, addrs []string) peer.AddrInfo {
	out := peer.AddrInfo{ID: id}
	for _, s := range addrs {
		if ai, err := ParseAddr(s); err == nil {
			out.Addrs = append(out.Addrs, ai.Addrs...)
		}
	}
	return out
}
