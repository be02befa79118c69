// SPDX-License-Identifier: Apache-2.0

package ask

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/keys"
)

// saved is a file of results: 32 bytes that bind it to its job, then for each segment
// 8 bytes of length, 32 of digest, the results. A torn or damaged end is cut off.
type saved struct{ f *os.File }

// openSaved opens or begins a file and returns the results in it and the digest of
// each segment; no path, no file. of is a digest of model and rows. Errors: those of the file system.
func openSaved(path string, j Job, of [32]byte) (s *saved, blob []byte, digests [][32]byte, err error) {
	if path == "" {
		return nil, nil, nil, nil
	}
	bind := keys.Sum(keys.DomainProgram, j.Task, j.Operator, j.Spec, of)
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil, err
	}
	good := 0
	if len(b) >= len(bind) && [32]byte(b) == bind {
		good = len(bind)
	}
	for good > 0 && len(b)-good > 40 && uint64(len(digests)) < j.Spec.Segments(j.Rows()) {
		n, digest := binary.LittleEndian.Uint64(b[good:]), [32]byte(b[good+8:])
		if n > uint64(len(b)-good-40) {
			break
		}
		part := b[good+40:][:n]
		if content.Sum(part).Hash() != digest {
			break
		}
		blob, digests, good = append(blob, part...), append(digests, digest), good+40+int(n)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, nil, err
	}
	s = &saved{f}
	if good == 0 {
		_, err = f.WriteAt(bind[:], 0)
		good = len(bind)
	}
	if err == nil {
		err = f.Truncate(int64(good))
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, s.close())
	}
	return s, blob, digests, nil
}

// add saves a segment. It is not synced: what a machine that loses power loses is
// answered again. Errors: those of the file system.
func (s *saved) add(part []byte) error {
	if s == nil {
		return nil
	}
	digest := content.Sum(part).Hash()
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(part)))
	if _, err := s.f.Write(append(append(b, digest[:]...), part...)); err != nil {
		return fmt.Errorf("save results: %w", err)
	}
	return nil
}

func (s *saved) close() error {
	if s == nil {
		return nil
	}
	return s.f.Close()
}
