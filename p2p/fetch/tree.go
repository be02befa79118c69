// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"fmt"
	"io"
	"os"

	"github.com/openledger/openledger/internal/content"
)

const cvSize = len(content.CV{})

// maxCVs bounds the tree values kept in memory: 64 MiB, values of 128 GiB.
const maxCVs = 2 << 20

// tree returns the blob's tree of units: from memory, else from its .cvs file,
// else by reading the blob and writing that file. Errors: ErrAbsent, I/O,
// content.ErrPage if the blob itself does not match its name.
func (s *Store) tree(id content.ID) (*content.Tree, error) {
	s.mu.Lock()
	t := s.trees[id]
	s.mu.Unlock()
	if t != nil {
		return t, nil
	}
	size, err := s.Size(id)
	if err != nil {
		return nil, err
	}
	t, err = readCVs(s.Path(id)+treeExt, id, size)
	if err != nil {
		if t, err = s.rebuild(id); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	total := content.UnitCount(size)
	for _, o := range s.trees {
		total += content.UnitCount(o.Size())
	}
	for k, o := range s.trees {
		if total <= maxCVs && len(s.trees) < maxTrees {
			break
		}
		total -= content.UnitCount(o.Size())
		delete(s.trees, k)
	}
	s.trees[id] = t
	return t, nil
}

// rebuild hashes the blob again, for one that was put there by hand.
func (s *Store) rebuild(id content.ID) (*content.Tree, error) {
	f, err := s.Open(id)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := content.NewHasher()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	t := h.Tree()
	if t.ID() != id {
		return nil, fmt.Errorf("%s on disk has another hash: %w", id, content.ErrPage)
	}
	return t, writeCVs(s.Path(id)+treeExt, t)
}

// writeCVs writes all unit values of t, 32 bytes each, in order.
func writeCVs(path string, t *content.Tree) error {
	buf := make([]byte, 0, int(content.UnitCount(t.Size()))*cvSize)
	for i := range content.PageCount(t.Size()) {
		p, err := t.Page(i)
		if err != nil {
			return err
		}
		for _, cv := range p.CVs {
			buf = append(buf, cv[:]...)
		}
	}
	if err := os.WriteFile(path, buf, 0o600); err != nil {
		return fmt.Errorf("blob store: %w", err)
	}
	return nil
}

// readCVs reads a .cvs file and checks that it leads to id.
func readCVs(path string, id content.ID, size uint64) (*content.Tree, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if uint64(len(raw)) != content.UnitCount(size)*uint64(cvSize) {
		return nil, fmt.Errorf("%d bytes of tree values for %d bytes: %w", len(raw), size, content.ErrPage)
	}
	cvs := make([]content.CV, 0, len(raw)/cvSize)
	for ; len(raw) > 0; raw = raw[cvSize:] {
		cvs = append(cvs, content.CV(raw[:cvSize]))
	}
	return content.NewTree(id, size, cvs)
}
