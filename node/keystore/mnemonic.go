// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cosmos/go-bip39"

	"github.com/openledger/openledger/internal/keys"
)

// ErrMnemonic reports words that are no valid 24-word BIP-39 mnemonic.
var ErrMnemonic = errors.New("invalid mnemonic")

// NewMnemonic makes 24 words from 32 bytes of r.
func NewMnemonic(r io.Reader) (string, error) {
	entropy := make([]byte, 32)
	defer clear(entropy)
	if _, err := io.ReadFull(r, entropy); err != nil {
		return "", fmt.Errorf("read entropy: %w", err)
	}
	return bip39.NewMnemonic(entropy)
}

// Derive returns the key at m/44'/9944'/index' (SLIP-0010, Ed25519, no BIP-39
// password). Errors: ErrMnemonic.
func Derive(mnemonic string, index uint32) (keys.PrivateKey, error) {
	words := strings.Join(strings.Fields(mnemonic), " ")
	if len(strings.Fields(words)) != 24 {
		return keys.PrivateKey{}, fmt.Errorf("%w: want 24 words", ErrMnemonic)
	}
	seed, err := bip39.NewSeedWithErrorChecking(words, "")
	if err != nil {
		return keys.PrivateKey{}, fmt.Errorf("%w: a word or the checksum is wrong", ErrMnemonic)
	}
	defer clear(seed)
	return keys.FromSeed(slip10(seed, []uint32{44, 9944, index})), nil
}

// slip10 walks hardened Ed25519 children of a BIP-39 seed.
func slip10(seed []byte, path []uint32) (key [32]byte) {
	node := hmac512([]byte("ed25519 seed"), seed)
	for _, i := range path {
		data := append([]byte{0}, node[:32]...)
		data = binary.BigEndian.AppendUint32(data, i|1<<31)
		node = hmac512(node[32:], data)
	}
	copy(key[:], node[:32])
	return key
}

func hmac512(key, data []byte) []byte {
	m := hmac.New(sha512.New, key)
	m.Write(data)
	return m.Sum(nil)
}
