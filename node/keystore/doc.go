// SPDX-License-Identifier: Apache-2.0

// Package keystore keeps signing keys in a home's keys folder: each key is one
// age file with a scrypt recipient, which stock `age -d` recovers, and beside
// it a public file with the address, so that listing needs no passphrase
// (NODE-03). Keys come from a 24-word BIP-39 mnemonic by SLIP-0010 on the path
// m/44'/9944'/i'. It never logs a secret and never sends one anywhere.
//
//	s, _ := keystore.Open(dir, keystore.WorkFactorHome)
//	words, _ := keystore.NewMnemonic(rand.Reader)
//	key, _ := keystore.Derive(words, 0)
//	err := s.Create("alice", key, passphrase)
package keystore
