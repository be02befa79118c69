// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// ErrConfig groups every error about a setting; the text names file, line, key.
var ErrConfig = errors.New("invalid configuration")

const maxFile = 1 << 20

// P2P are the network settings.
type P2P struct {
	Listen    []string `toml:"listen"`
	Profile   string   `toml:"profile"`
	Bootstrap []string `toml:"bootstrap"`
}

// RPC are the client-facing settings.
type RPC struct {
	Listen      string   `toml:"listen"`
	CORSOrigins []string `toml:"cors_origins"`
	Hosts       []string `toml:"hosts"`
	Public      bool     `toml:"public"`
}

// Store are the disk settings.
type Store struct {
	RetainHeights uint64 `toml:"retain_heights"`
	Archive       bool   `toml:"archive"`
	CacheMiB      uint64 `toml:"cache_mib"`
	MaxGiB        uint64 `toml:"max_gib"`
}

// Sync says where trust begins and how a node that is behind catches up.
type Sync struct {
	Trust       string `toml:"trust"`
	SnapshotLag uint64 `toml:"snapshot_lag"`
}

// Mempool are the admission limits.
type Mempool struct {
	MaxTxs    uint64 `toml:"max_txs"`
	MaxMiB    uint64 `toml:"max_mib"`
	PerSender uint64 `toml:"per_sender"`
}

// GPU are the device settings.
type GPU struct {
	Devices  string `toml:"devices"`
	Memory   string `toml:"memory"`
	Share    string `toml:"share"`
	Schedule string `toml:"schedule"`
	MaxTemp  uint64 `toml:"max_temp"`
}

// Work says which duties this node takes for its account.
type Work struct {
	Worker  bool   `toml:"worker"`
	Checker bool   `toml:"checker"`
	Key     string `toml:"key"`
}

// Keys says how signing keys are unlocked.
type Keys struct {
	Unlock    string `toml:"unlock"`
	Validator string `toml:"validator"`
}

// Log are the logging settings.
type Log struct {
	Level  string `toml:"level"`
	Format string `toml:"format"`
}

// Config is everything in config.toml.
type Config struct {
	P2P     P2P     `toml:"p2p"`
	RPC     RPC     `toml:"rpc"`
	Store   Store   `toml:"store"`
	Sync    Sync    `toml:"sync"`
	Mempool Mempool `toml:"mempool"`
	GPU     GPU     `toml:"gpu"`
	Work    Work    `toml:"work"`
	Keys    Keys    `toml:"keys"`
	Log     Log     `toml:"log"`
}

// Default returns the settings of a node nobody configured.
func Default() Config {
	return Config{
		P2P:     P2P{Listen: []string{"/ip4/0.0.0.0/tcp/9943", "/ip4/0.0.0.0/udp/9943/quic-v1"}, Profile: "home"},
		RPC:     RPC{Listen: "127.0.0.1:9944"},
		Store:   Store{RetainHeights: 20_000, CacheMiB: 96, MaxGiB: 50},
		Sync:    Sync{SnapshotLag: 20_000},
		Mempool: Mempool{MaxTxs: 100_000, MaxMiB: 64, PerSender: 64},
		GPU:     GPU{Devices: "off", Memory: "80%", Share: "100%"},
		Keys:    Keys{Unlock: "prompt"},
		Log:     Log{Level: "info", Format: "text"},
	}
}

// Load merges the defaults, the file at path (which may be absent) and the
// environment, then checks the result. Errors: ErrConfig.
func Load(path string, env func(string) (string, bool)) (Config, error) {
	c := Default()
	b, err := readFile(path)
	if err != nil {
		return c, err
	}
	if err := decode(path, b, &c); err != nil {
		return c, err
	}
	for _, k := range table {
		if v, ok := env(k.Env()); ok {
			if err := k.set(&c, v); err != nil {
				return c, fmt.Errorf("%w: %s: %v", ErrConfig, k.Env(), err)
			}
		}
	}
	return c, c.Check()
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrConfig, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil || len(b) > maxFile {
		return nil, fmt.Errorf("%w: %s: unreadable or larger than %d bytes", ErrConfig, path, maxFile)
	}
	return b, nil
}

func decode(path string, b []byte, c *Config) error {
	d := toml.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	err := d.Decode(c)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		row, _ := unknown.Errors[0].Position()
		key := strings.Join(unknown.Errors[0].Key(), ".")
		return fmt.Errorf("%w: %s:%d: unknown key %q; nearest is %q", ErrConfig, path, row, key, nearest(key))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, col := bad.Position()
		return fmt.Errorf("%w: %s:%d: column %d: %s", ErrConfig, path, row, col, strings.TrimPrefix(bad.Error(), "toml: "))
	}
	if err != nil {
		return fmt.Errorf("%w: %s: %v", ErrConfig, path, err)
	}
	return nil
}

// Encode renders c as a config.toml.
func (c Config) Encode() ([]byte, error) { return toml.Marshal(c) }

// Check verifies bounds. Errors: ErrConfig naming the key.
func (c Config) Check() error {
	for _, k := range table {
		if k.check == nil {
			continue
		}
		if err := k.check(c); err != nil {
			return fmt.Errorf("%w: %s: %v", ErrConfig, k.Name, err)
		}
	}
	return nil
}

func oneOf(v string, allowed ...string) error {
	for _, a := range allowed {
		if v == a {
			return nil
		}
	}
	return fmt.Errorf("%q is not one of %s", v, strings.Join(allowed, ", "))
}

func within(v, lo, hi uint64) error {
	if v < lo || v > hi {
		return fmt.Errorf("%d is outside %d..%d", v, lo, hi)
	}
	return nil
}

func setUint(p *uint64, v string) error {
	n, err := strconv.ParseUint(v, 10, 64)
	if err == nil {
		*p = n
	}
	return err
}

func setBool(p *bool, v string) error {
	b, err := strconv.ParseBool(v)
	if err == nil {
		*p = b
	}
	return err
}

func setList(p *[]string, v string) error {
	*p = nil
	for _, s := range strings.Split(v, ",") {
		if s = strings.TrimSpace(s); s != "" {
			*p = append(*p, s)
		}
	}
	return nil
}
