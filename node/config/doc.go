// SPDX-License-Identifier: Apache-2.0

// Package config reads a node's local settings: default < config.toml <
// OPENLEDGER_<SECTION>_<KEY> < command-line flag (NODE-02). Every key is
// listed in one table that also explains it; an unknown key is an error with
// its line and the nearest known name. No setting here can change a state root.
//
//	c, err := config.Load(filepath.Join(home, "config.toml"), os.LookupEnv)
package config
