// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net"
	"strings"

	"github.com/openledger/openledger/gpu/host"
)

// Key is one setting: its name in the file, what it does, how to set and check it.
type Key struct {
	Name, Help string
	set        func(*Config, string) error
	check      func(Config) error
}

var table = []Key{
	{"p2p.listen", "multiaddresses the host listens on", func(c *Config, v string) error { return setList(&c.P2P.Listen, v) }, nil},
	{"p2p.profile", "connection limits: home, server, validator or lan", func(c *Config, v string) error { c.P2P.Profile = v; return nil },
		func(c Config) error { return oneOf(c.P2P.Profile, "home", "server", "validator", "lan") }},
	{"p2p.bootstrap", "multiaddresses with /p2p/ of first peers", func(c *Config, v string) error { return setList(&c.P2P.Bootstrap, v) }, nil},
	{"rpc.listen", "address of the JSON-RPC server", func(c *Config, v string) error { c.RPC.Listen = v; return nil }, checkRPC},
	{"rpc.cors_origins", "web origins that may call; none by default", func(c *Config, v string) error { return setList(&c.RPC.CORSOrigins, v) }, nil},
	{"rpc.hosts", "names under which clients may call, beside localhost and addresses", func(c *Config, v string) error { return setList(&c.RPC.Hosts, v) }, nil},
	{"rpc.public", "allow a listen address that is not loopback", func(c *Config, v string) error { return setBool(&c.RPC.Public, v) }, nil},
	{"store.retain_heights", "heights of history that stay readable", func(c *Config, v string) error { return setUint(&c.Store.RetainHeights, v) },
		func(c Config) error { return within(c.Store.RetainHeights, 100, 1<<40) }},
	{"store.archive", "keep everything", func(c *Config, v string) error { return setBool(&c.Store.Archive, v) }, nil},
	{"store.cache_mib", "database caches in MiB", func(c *Config, v string) error { return setUint(&c.Store.CacheMiB, v) },
		func(c Config) error { return within(c.Store.CacheMiB, 8, 65_536) }},
	{"store.max_gib", "disk that the home may use, in GiB; blobs of others, old snapshots and history go first; 0: no bound",
		func(c *Config, v string) error { return setUint(&c.Store.MaxGiB, v) }, func(c Config) error { return within(c.Store.MaxGiB, 0, 1<<20) }},
	{"sync.trust", "HEIGHT:HASH of a final block that you trust; none: trust begins with the genesis", func(c *Config, v string) error { c.Sync.Trust = v; return nil }, nil},
	{"sync.snapshot_lag", "heights behind from which a snapshot is fetched; 0: never", func(c *Config, v string) error { return setUint(&c.Sync.SnapshotLag, v) }, nil},
	{"mempool.max_txs", "pending transactions kept", func(c *Config, v string) error { return setUint(&c.Mempool.MaxTxs, v) },
		func(c Config) error { return within(c.Mempool.MaxTxs, 1_000, 1_000_000) }},
	{"mempool.max_mib", "bytes of pending transactions in MiB", func(c *Config, v string) error { return setUint(&c.Mempool.MaxMiB, v) },
		func(c Config) error { return within(c.Mempool.MaxMiB, 8, 1_024) }},
	{"mempool.per_sender", "pending transactions of one account", func(c *Config, v string) error { return setUint(&c.Mempool.PerSender, v) },
		func(c Config) error { return within(c.Mempool.PerSender, 1, 1_024) }},
	{"gpu.devices", "NVIDIA cards that work for this node: off, auto for all, or numbers such as 0,2", func(c *Config, v string) error { c.GPU.Devices = v; return nil },
		func(c Config) error { _, err := host.ParseSelect(c.GPU.Devices); return err }},
	{"gpu.memory", "memory of each card to use: 8GiB, 500MiB or a share such as 80%", func(c *Config, v string) error { c.GPU.Memory = v; return nil },
		func(c Config) error { _, err := host.ParseMemory(c.GPU.Memory, 1<<40); return err }},
	{"gpu.share", "most of the time that a card works: 1% to 100%", func(c *Config, v string) error { c.GPU.Share = v; return nil },
		func(c Config) error { _, err := host.ParseShare(c.GPU.Share); return err }},
	{"gpu.schedule", "hours at which cards work, such as 22:00-07:00; empty: always", func(c *Config, v string) error { c.GPU.Schedule = v; return nil },
		func(c Config) error { _, err := host.ParseSchedule(c.GPU.Schedule); return err }},
	{"gpu.max_temp", "°C from which a card rests; 0: no limit", func(c *Config, v string) error { return setUint(&c.GPU.MaxTemp, v) },
		func(c Config) error {
			if c.GPU.MaxTemp == 0 {
				return nil
			}
			return within(c.GPU.MaxTemp, 30, 120)
		}},
	{"work.worker", "claim and run training tasks with work.key", func(c *Config, v string) error { return setBool(&c.Work.Worker, v) }, nil},
	{"work.checker", "replay tasks when drawn, with work.key", func(c *Config, v string) error { return setBool(&c.Work.Checker, v) }, nil},
	{"work.key", "name of the operator's key in the keystore", func(c *Config, v string) error { c.Work.Key = v; return nil },
		func(c Config) error {
			if c.Work.Key == "" && (c.Work.Worker || c.Work.Checker) {
				return fmt.Errorf("is needed by work.worker and work.checker; `openledger keys new operator` makes one")
			}
			return nil
		}},
	{"keys.unlock", "where passphrases come from: prompt or file:PATH", func(c *Config, v string) error { c.Keys.Unlock = v; return nil },
		func(c Config) error {
			if c.Keys.Unlock == "prompt" || (strings.HasPrefix(c.Keys.Unlock, "file:") && len(c.Keys.Unlock) > 5) {
				return nil
			}
			return fmt.Errorf("%q is neither prompt nor file:PATH", c.Keys.Unlock)
		}},
	{"keys.validator", "name of the validator's vote key", func(c *Config, v string) error { c.Keys.Validator = v; return nil }, nil},
	{"log.level", "debug, info, warn or error", func(c *Config, v string) error { c.Log.Level = v; return nil },
		func(c Config) error { return oneOf(c.Log.Level, "debug", "info", "warn", "error") }},
	{"log.format", "text or json", func(c *Config, v string) error { c.Log.Format = v; return nil },
		func(c Config) error { return oneOf(c.Log.Format, "text", "json") }},
}

func checkRPC(c Config) error {
	host, _, err := net.SplitHostPort(c.RPC.Listen)
	if err != nil {
		return fmt.Errorf("%q is not host:port", c.RPC.Listen)
	}
	ip := net.ParseIP(host)
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) && !c.RPC.Public {
		return fmt.Errorf("%q is not loopback; set rpc.public = true to expose it behind a proxy with TLS", c.RPC.Listen)
	}
	return nil
}

// nearest returns the known key with the least edit distance to name.
func nearest(name string) string {
	best, at := "", 1<<30
	for _, k := range table {
		if d := distance(name, k.Name); d < at {
			best, at = k.Name, d
		}
	}
	return best
}

// distance is Levenshtein's edit distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost = 1 + min(diag, row[j], row[j+1])
			}
			diag, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
