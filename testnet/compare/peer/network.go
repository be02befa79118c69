// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/openledger/openledger/internal/keys"
	"github.com/openledger/openledger/ledger/genesis"
	"github.com/openledger/openledger/testnet/compare/load"
	"github.com/openledger/openledger/testnet/compare/proc"
)

const readyWithin = 60 * time.Second

// Network is the processes of a CometBFT network on this machine.
type Network struct {
	Procs proc.Group
	chain [32]byte
	rpc   *load.RPC
	urls  []string
}

// Plan is the network to make: a folder, the program whose command Command runs
// one node from its home, the number of validators, the first port, and where the
// nodes run.
type Plan struct {
	Dir, Program, Command string
	Validators, BasePort  int
	Profile               Profile
	Doc                   genesis.Doc
	Place                 proc.Place
}

// Start makes a network and waits for the second block of every node.
func Start(ctx context.Context, p Plan) (*Network, error) {
	homes, err := makeHomes(p)
	if err != nil {
		return nil, err
	}
	w := &Network{Procs: proc.Group{Dir: p.Dir}, chain: p.Doc.ChainID(), rpc: load.NewRPC(p.Place.Dial)}
	for i, home := range homes {
		w.urls = append(w.urls, fmt.Sprintf("http://127.0.0.1:%d", p.BasePort+i))
		if err := w.Procs.Start(fmt.Sprintf("peer%d", i), p.Place.Command(i, p.Program, p.Command, home)); err != nil {
			w.Stop()
			return nil, err
		}
	}
	if err := w.ready(ctx); err != nil {
		w.Stop()
		return nil, err
	}
	return w, nil
}

func (n *Network) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for i := 0; i < len(n.urls); {
		if h, err := n.heightOf(ctx, i); err == nil && h >= 2 {
			i++
			continue
		}
		if why := n.Procs.Dead(); why != "" {
			return fmt.Errorf("cometbft: %s", why)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("cometbft: node %d has no block after %v", i, readyWithin)
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

// Submit implements load.Chain: broadcast_tx_sync returns when CheckTx has run.
func (n *Network) Submit(ctx context.Context, node int, list []load.Transfer) (map[string]int, error) {
	return n.rpc.Batch(ctx, n.urls[node], `,"method":"broadcast_tx_sync","params":{"tx":"`, `"}}`, list)
}

func (n *Network) heightOf(ctx context.Context, node int) (uint64, error) {
	var info struct {
		Response struct {
			Height uint64 `json:"last_block_height,string"`
		} `json:"response"`
	}
	err := n.rpc.Call(ctx, n.urls[node], "abci_info", struct{}{}, &info)
	return info.Response.Height, err
}

// Height implements load.Chain: what the application has committed.
func (n *Network) Height(ctx context.Context) (uint64, error) { return n.heightOf(ctx, 0) }

// Block implements load.Chain.
func (n *Network) Block(ctx context.Context, height uint64) ([]load.ID, error) {
	var got struct {
		Block struct {
			Data struct {
				Txs [][]byte `json:"txs"`
			} `json:"data"`
		} `json:"block"`
	}
	if err := n.rpc.Call(ctx, n.urls[0], "block", map[string]string{"height": fmt.Sprint(height)}, &got); err != nil {
		return nil, err
	}
	out := make([]load.ID, len(got.Block.Data.Txs))
	for i, raw := range got.Block.Data.Txs {
		out[i] = sha256.Sum256(raw)
	}
	return out, nil
}

// Key implements load.Chain.
func (n *Network) Key(t load.Transfer) load.ID { return sha256.Sum256(t.Raw) }

// Nonce returns the number of transfers that node 0 has executed for an account.
func (n *Network) Nonce(ctx context.Context, a keys.Address) (uint64, error) {
	var got struct {
		Response struct {
			Value []byte `json:"value"`
		} `json:"response"`
	}
	err := n.rpc.Call(ctx, n.urls[0], "abci_query", map[string]any{"data": hex.EncodeToString(a[:])}, &got)
	if err != nil || len(got.Response.Value) != 8 {
		return 0, fmt.Errorf("%w: nonce of %v: %v", load.ErrAnswer, a, err)
	}
	return binary.BigEndian.Uint64(got.Response.Value), nil
}
