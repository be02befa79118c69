// SPDX-License-Identifier: Apache-2.0

package ours

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/openledger/openledger/consensus/header"
	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/node/config"
	"github.com/openledger/openledger/rpc/api"
	"github.com/openledger/openledger/testnet/compare/load"
	"github.com/openledger/openledger/testnet/compare/proc"
	"github.com/openledger/openledger/testnet/localnet"
)

// readyWithin bounds the start of a network.
const readyWithin = 60 * time.Second

// Network is four or more validators on this machine.
type Network struct {
	Procs proc.Group
	chain [32]byte
	rpc   *load.RPC
	urls  []string
}

// Plan is the network to make: a folder that holds none, the built program, the
// number of validators, the RPC port of the first one, the balances at the start,
// and where the nodes run. Profiler, if not empty, is the address at which node 1,
// which nobody watches, serves Go's profiler.
type Plan struct {
	Dir, Program         string
	Validators, BasePort int
	Grants               []genesis.Alloc
	Place                proc.Place
	Profiler             string
}

// Document makes the homes of a network, and its genesis document.
func Document(p Plan) (*localnet.Network, genesis.Doc, error) {
	n, err := localnet.Create(localnet.Options{Dir: p.Dir, Program: p.Program, Validators: p.Validators, BasePort: p.BasePort, Grants: p.Grants, NoWork: true,
		Place: func(i int) (string, []string) { return p.Place.Host(i), nil }})
	if err != nil {
		return nil, genesis.Doc{}, err
	}
	doc, err := n.Genesis()
	return n, doc, err
}

// Start makes a network and waits until every node has the first block.
func Start(ctx context.Context, p Plan) (*Network, error) {
	homes, doc, err := Document(p)
	if err != nil {
		return nil, err
	}
	n := &Network{Procs: proc.Group{Dir: p.Dir}, chain: doc.ChainID(), rpc: load.NewRPC(p.Place.Dial)}
	for i, m := range homes.Nodes {
		if err := asShipped(filepath.Join(m.Home, "config.toml")); err != nil {
			return nil, err
		}
		n.urls = append(n.urls, m.RPC+"/rpc")
		args := []string{"node", "--home", m.Home}
		if i == 1 && p.Profiler != "" {
			args = append(args, "--pprof-addr", p.Profiler)
		}
		if err := n.Procs.Start(m.Name, p.Place.Command(i, p.Program, args...)); err != nil {
			n.Stop()
			return nil, err
		}
	}
	if err := n.ready(ctx); err != nil {
		n.Stop()
		return nil, err
	}
	return n, nil
}

// asShipped takes back what local networks save for small machines.
func asShipped(path string) error {
	c, err := config.Load(path, func(string) (string, bool) { return "", false })
	if err != nil {
		return err
	}
	c.Store = config.Default().Store
	text, err := c.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func (n *Network) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for i := 0; i < len(n.urls); {
		var head api.ChainHead
		if err := n.rpc.Call(ctx, n.urls[i], "chain_head", api.Empty{}, &head); err == nil && head.Height > 0 {
			i++
			continue
		}
		if why := n.Procs.Dead(); why != "" {
			return fmt.Errorf("openledger: %s", why)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("openledger: node %d has no block after %v", i, readyWithin)
		}
	}
	return nil
}

// Stop ends the network.
func (n *Network) Stop() {
	n.rpc.Close()
	n.Procs.Stop()
}

// Group returns the node processes.
func (n *Network) Group() *proc.Group { return &n.Procs }

// ChainID is what transfers are signed for.
func (n *Network) ChainID() [32]byte { return n.chain }

// Submit implements load.Chain: each transfer is a tx_submit that returns when
// the mempool has it.
func (n *Network) Submit(ctx context.Context, node int, list []load.Transfer) (map[string]int, error) {
	return n.rpc.Batch(ctx, n.urls[node], `,"method":"tx_submit","params":{"bytes":"`, `","wait":"mempool"}}`, list)
}

// Height implements load.Chain.
func (n *Network) Height(ctx context.Context) (uint64, error) {
	var head api.ChainHead
	err := n.rpc.Call(ctx, n.urls[0], "chain_head", api.Empty{}, &head)
	return head.Height, err
}

// Block implements load.Chain.
func (n *Network) Block(ctx context.Context, height uint64) ([]load.ID, error) {
	var b struct {
		Txs []struct {
			TxID api.Hash `json:"txid"`
		} `json:"txs"`
	}
	if err := n.rpc.Call(ctx, n.urls[0], "chain_block", api.HeightParams{Height: height}, &b); err != nil {
		return nil, err
	}
	out := make([]load.ID, len(b.Txs))
	for i, t := range b.Txs {
		out[i] = load.ID(t.TxID)
	}
	return out, nil
}

// Key implements load.Chain.
func (n *Network) Key(t load.Transfer) load.ID { return load.ID(t.ID) }

// Nonce returns the number of transfers that node 0 has executed for an account.
func (n *Network) Nonce(ctx context.Context, a keys.Address) (uint64, error) {
	var got api.AccountView
	err := n.rpc.Call(ctx, n.urls[0], "account_get", api.AccountParams{Address: a}, &got)
	return got.Nonce, err
}

// Skipped is the number of views without a block, from the start of the epoch of
// node 0's newest block: timeouts, dead leaders. Views begin again in each epoch.
func (n *Network) Skipped(ctx context.Context) (epoch uint64, views int, err error) {
	height, err := n.Height(ctx)
	if err != nil {
		return 0, 0, err
	}
	var got api.ChainHeader
	if err := n.rpc.Call(ctx, n.urls[0], "chain_header", api.HeightParams{Height: height}, &got); err != nil {
		return 0, 0, err
	}
	h, err := header.Decode(got.Header)
	return h.Epoch, int(h.View) - int(h.Height), err
}
