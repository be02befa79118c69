// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/types"
)

// Profile names a configuration of the peer.
type Profile string

// The profiles: what CometBFT ships, what CONS-70 (9) tunes, and the tuned one
// with our pause between empty blocks.
const (
	Default Profile = "default"
	Tuned   Profile = "tuned"
	Paced   Profile = "tuned, paced"
)

// heartbeat is the pause between empty blocks of our local networks.
const heartbeat = 5 * time.Second

func (p Profile) apply(c *config.Config) {
	if p == Default {
		return
	}
	c.Consensus.TimeoutCommit = 0
	c.Consensus.SkipTimeoutCommit = true
	c.Consensus.PeerGossipSleepDuration = 5 * time.Millisecond
	c.P2P.FlushThrottleTimeout = 5 * time.Millisecond
	c.P2P.SendRate = 200_000_000
	c.P2P.RecvRate = 200_000_000
	c.P2P.MaxPacketMsgPayloadSize = 64 << 10
	c.Mempool.Size = 60_000
	c.Mempool.CacheSize = 200_000
	c.Mempool.Recheck = false
	c.TxIndex.Indexer = "null"
	if p == Paced {
		c.Consensus.CreateEmptyBlocksInterval = heartbeat
	}
}

// makeHomes writes the homes of the validators and returns them.
func makeHomes(plan Plan) ([]string, error) {
	g := &types.GenesisDoc{ChainID: "compare", GenesisTime: time.Now(), InitialHeight: 1, ConsensusParams: types.DefaultConsensusParams()}
	homes, peers := make([]string, plan.Validators), make([]string, plan.Validators)
	for i := range homes {
		home := filepath.Join(plan.Dir, fmt.Sprintf("peer%d", i))
		homes[i] = home
		for _, sub := range []string{"config", "data"} {
			if err := os.MkdirAll(filepath.Join(home, sub), 0o755); err != nil {
				return nil, err
			}
		}
		if err := os.WriteFile(filepath.Join(home, "ledger-genesis.cbor"), plan.Doc.Encode(), 0o644); err != nil {
			return nil, err
		}
		c := config.DefaultConfig()
		c.SetRoot(home)
		pv := privval.GenFilePV(c.PrivValidatorKeyFile(), c.PrivValidatorStateFile())
		pv.Save()
		id, err := p2p.LoadOrGenNodeKey(c.NodeKeyFile())
		if err != nil {
			return nil, err
		}
		pub, err := pv.GetPubKey()
		if err != nil {
			return nil, err
		}
		g.Validators = append(g.Validators, types.GenesisValidator{Address: pub.Address(), PubKey: pub, Power: 1})
		peers[i] = fmt.Sprintf("%s@%s:%d", id.ID(), plan.Place.Host(i), plan.BasePort+100+i)
	}
	for i, home := range homes {
		c := config.DefaultConfig()
		c.SetRoot(home)
		plan.Profile.apply(c)
		c.P2P.ListenAddress = fmt.Sprintf("tcp://%s:%d", plan.Place.Host(i), plan.BasePort+100+i)
		c.P2P.PersistentPeers = strings.Join(append(append([]string{}, peers[:i]...), peers[i+1:]...), ",")
		c.P2P.AddrBookStrict = false // all addresses are local ones
		c.P2P.AllowDuplicateIP = true
		c.RPC.ListenAddress = fmt.Sprintf("tcp://127.0.0.1:%d", plan.BasePort+i)
		c.RPC.MaxRequestBatchSize = 100
		c.LogLevel = "error"
		config.WriteConfigFile(filepath.Join(home, "config", "config.toml"), c)
		if err := g.SaveAs(c.GenesisFile()); err != nil {
			return nil, err
		}
	}
	return homes, nil
}
