// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/spf13/viper"

	"github.com/openledger/openledger/ledger/genesis"
)

// RunNode runs one node from its home until ctx ends.
func RunNode(ctx context.Context, home string) (err error) {
	raw, err := os.ReadFile(filepath.Join(home, "ledger-genesis.cbor"))
	if err != nil {
		return err
	}
	doc, err := genesis.Decode(raw)
	if err != nil {
		return err
	}
	c, err := loadConfig(home)
	if err != nil {
		return err
	}
	app, err := OpenApp(filepath.Join(home, "ledger"), doc)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	key, err := p2p.LoadNodeKey(c.NodeKeyFile())
	if err != nil {
		return err
	}
	logger := log.NewFilter(log.NewTMLogger(log.NewSyncWriter(os.Stderr)), log.AllowError())
	n, err := node.NewNode(c, privval.LoadFilePV(c.PrivValidatorKeyFile(), c.PrivValidatorStateFile()), key,
		proxy.NewConnSyncLocalClientCreator(app), node.DefaultGenesisDocProviderFunc(c), config.DefaultDBProvider,
		node.DefaultMetricsProvider(c.Instrumentation), logger)
	if err != nil {
		return err
	}
	if err := n.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	if err := n.Stop(); err != nil {
		return err
	}
	n.Wait()
	return nil
}

func loadConfig(home string) (*config.Config, error) {
	v := viper.New()
	v.SetConfigFile(filepath.Join(home, "config", "config.toml"))
	if err := v.ReadInConfig(); err != nil {
		return nil, err
	}
	c := config.DefaultConfig()
	if err := v.Unmarshal(c); err != nil {
		return nil, err
	}
	c.SetRoot(home)
	return c, c.ValidateBasic()
}
