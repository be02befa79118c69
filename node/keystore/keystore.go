// SPDX-License-Identifier: Apache-2.0

package keystore

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/openledger/openledger/internal/keys"
)

// Scrypt work factors (log2 N): the default takes about a second and 256 MiB,
// the local one suits throw-away networks on one machine.
const (
	WorkFactorHome  = 18
	WorkFactorLocal = 12
	maxWorkFactor   = 22
	maxKeyFile      = 64 << 10
)

// Errors a caller can act on.
var (
	ErrExists     = errors.New("key exists")
	ErrNotFound   = errors.New("key not found")
	ErrPassphrase = errors.New("wrong passphrase")
	ErrName       = errors.New("invalid key name")
	ErrDamaged    = errors.New("key file damaged")
)

var nameRule = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

// Entry is the public part of one stored key.
type Entry struct {
	Name      string         `json:"name"`
	Address   keys.Address   `json:"address"`
	PublicKey keys.PublicKey `json:"public_key"`
}

// MarshalJSON writes the fields with their text forms.
func (e Entry) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"name": e.Name, "address": e.Address.String(), "public_key": e.PublicKey.String()})
}

// Store is a folder of encrypted keys. It holds no secret itself.
type Store struct {
	dir        string
	workFactor int
}

// Open creates dir (0700) if needed. workFactor applies to keys created here.
func Open(dir string, workFactor int) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open keystore: %w", err)
	}
	return &Store{dir: dir, workFactor: workFactor}, nil
}

func (s *Store) path(name, ext string) string { return filepath.Join(s.dir, name+ext) }

// Create encrypts key under name. Errors: ErrName, ErrExists. An existing file
// is never overwritten.
func (s *Store) Create(name string, key keys.PrivateKey, passphrase []byte) (Entry, error) {
	if !nameRule.MatchString(name) {
		return Entry{}, fmt.Errorf("%w: %q; use a-z, 0-9, dot, dash, underscore, at most 32", ErrName, name)
	}
	if _, err := os.Stat(s.path(name, ".age")); err == nil {
		return Entry{}, fmt.Errorf("%w: %s", ErrExists, name)
	}
	sealed, err := s.seal(key, passphrase)
	if err != nil {
		return Entry{}, fmt.Errorf("encrypt key %s: %w", name, err)
	}
	e := Entry{Name: name, Address: keys.SingleAuth(key.Public()).Address(), PublicKey: key.Public()}
	pub, err := json.Marshal(e)
	if err != nil {
		return Entry{}, err
	}
	if err := writeNew(s.path(name, ".age"), sealed, 0o600); err != nil {
		return Entry{}, err
	}
	return e, writeNew(s.path(name, ".json"), append(pub, '\n'), 0o644)
}

func (s *Store) seal(key keys.PrivateKey, passphrase []byte) ([]byte, error) {
	r, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(s.workFactor)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, r)
	if err != nil {
		return nil, err
	}
	seed := key.Seed()
	defer clear(seed[:])
	if _, err := io.WriteString(w, hex.EncodeToString(seed[:])+"\n"); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Load decrypts the key. Errors: ErrName, ErrNotFound, ErrPassphrase, ErrDamaged.
func (s *Store) Load(name string, passphrase []byte) (keys.PrivateKey, error) {
	if !nameRule.MatchString(name) {
		return keys.PrivateKey{}, fmt.Errorf("%w: %q", ErrName, name)
	}
	b, err := readBounded(s.path(name, ".age"))
	if errors.Is(err, os.ErrNotExist) {
		return keys.PrivateKey{}, fmt.Errorf("%w: %s in %s", ErrNotFound, name, s.dir)
	}
	if err != nil {
		return keys.PrivateKey{}, err
	}
	id, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return keys.PrivateKey{}, fmt.Errorf("%w: %s", ErrPassphrase, name)
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	r, err := age.Decrypt(bytes.NewReader(b), id)
	var mismatch *age.NoIdentityMatchError
	if errors.As(err, &mismatch) {
		return keys.PrivateKey{}, fmt.Errorf("%w for key %s", ErrPassphrase, name)
	}
	if err != nil {
		return keys.PrivateKey{}, fmt.Errorf("%w: %s: %v", ErrDamaged, name, err)
	}
	return readSeed(name, r)
}

func readSeed(name string, r io.Reader) (keys.PrivateKey, error) {
	text, err := io.ReadAll(io.LimitReader(r, 128))
	defer clear(text)
	var seed [32]byte
	defer clear(seed[:])
	trimmed := bytes.TrimSpace(text)
	if err != nil || len(trimmed) != 64 {
		return keys.PrivateKey{}, fmt.Errorf("%w: %s", ErrDamaged, name)
	}
	if _, err := hex.Decode(seed[:], trimmed); err != nil {
		return keys.PrivateKey{}, fmt.Errorf("%w: %s", ErrDamaged, name)
	}
	return keys.FromSeed(seed), nil
}

// Entry returns the public part of one key. Errors: ErrName, ErrNotFound, ErrDamaged.
func (s *Store) Entry(name string) (Entry, error) {
	if !nameRule.MatchString(name) {
		return Entry{}, fmt.Errorf("%w: %q", ErrName, name)
	}
	b, err := readBounded(s.path(name, ".json"))
	if errors.Is(err, os.ErrNotExist) {
		return Entry{}, fmt.Errorf("%w: %s in %s", ErrNotFound, name, s.dir)
	}
	if err != nil {
		return Entry{}, err
	}
	var raw struct{ Name, Address, Public_key string }
	if err := json.Unmarshal(b, &raw); err != nil {
		return Entry{}, fmt.Errorf("%w: %s: %v", ErrDamaged, name, err)
	}
	a, err := keys.ParseAddress(raw.Address)
	pk, err2 := hex.DecodeString(strings.TrimPrefix(raw.Public_key, "0x"))
	if err != nil || err2 != nil || len(pk) != 32 {
		return Entry{}, fmt.Errorf("%w: %s", ErrDamaged, name)
	}
	return Entry{Name: name, Address: a, PublicKey: keys.PublicKey(pk)}, nil
}

// List returns all entries by name.
func (s *Store) List() ([]Entry, error) {
	files, err := filepath.Glob(s.path("*", ".age"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	out := []Entry{}
	for _, f := range files {
		e, err := s.Entry(strings.TrimSuffix(filepath.Base(f), ".age"))
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && len(b) > maxKeyFile {
		return nil, fmt.Errorf("%w: %s is larger than %d bytes", ErrDamaged, path, maxKeyFile)
	}
	return b, err
}

// writeNew creates path with data on stable storage, never replacing a file.
func writeNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}
