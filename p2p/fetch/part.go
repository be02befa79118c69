// SPDX-License-Identifier: Apache-2.0

package fetch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/openledger/openledger/internal/content"
)

// When the map is replaced: each 64 MiB or 5 s of writing (P2P-14).
const (
	flushBytes = 64 << 20
	flushTime  = 5 * time.Second
)

// ErrMap reports a map file that is damaged or of another blob.
var ErrMap = errors.New("damaged resume map")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var mapMagic = []byte("olmap\x01")

// bitmap says which units of a blob are on disk.
type bitmap struct {
	id   content.ID
	size uint64
	bits []byte
}

func newBitmap(id content.ID, size uint64) bitmap {
	return bitmap{id: id, size: size, bits: make([]byte, (content.UnitCount(size)+7)/8)}
}

func (m bitmap) has(i uint64) bool { return m.bits[i/8]>>(i%8)&1 == 1 }

func (m bitmap) set(i uint64) { m.bits[i/8] |= 1 << (i % 8) }

func (m bitmap) clear(i uint64) { m.bits[i/8] &^= 1 << (i % 8) }

// encode writes magic, id, size, bits and a CRC-32C over all of them.
func (m bitmap) encode() []byte {
	b := append([]byte(nil), mapMagic...)
	b = append(b, m.id[:]...)
	b = binary.BigEndian.AppendUint64(b, m.size)
	return seal(append(b, m.bits...))
}

// seal appends the CRC-32C of b.
func seal(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// decodeBitmap reads a map file. Errors: ErrMap.
func decodeBitmap(b []byte) (bitmap, error) {
	head := len(mapMagic) + content.IDSize + 8
	if len(b) < head+4 || string(b[:len(mapMagic)]) != string(mapMagic) {
		return bitmap{}, fmt.Errorf("%d bytes: %w", len(b), ErrMap)
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return bitmap{}, fmt.Errorf("checksum: %w", ErrMap)
	}
	id, err := content.FromBytes(b[len(mapMagic) : head-8])
	if err != nil {
		return bitmap{}, fmt.Errorf("%w: %w", ErrMap, err)
	}
	size := binary.BigEndian.Uint64(b[head-8 : head])
	if size > content.MaxSize {
		return bitmap{}, fmt.Errorf("size %d: %w", size, ErrMap)
	}
	m := newBitmap(id, size)
	if len(body)-head != len(m.bits) {
		return bitmap{}, fmt.Errorf("%d bytes of bits, want %d: %w", len(body)-head, len(m.bits), ErrMap)
	}
	copy(m.bits, body[head:])
	for i := content.UnitCount(size); i < uint64(len(m.bits))*8; i++ {
		if m.has(i) {
			return bitmap{}, fmt.Errorf("bit %d past the end: %w", i, ErrMap)
		}
	}
	return m, nil
}

// part is a blob that is being fetched: the file written in place, the units
// that are on disk, and the tree values of its pages. Not safe for concurrent
// use, except for write of different units.
type part struct {
	store *Store
	m     bitmap // units written, also before they are synced
	data  *os.File
	cvs   *os.File
	dirty uint64 // bytes written since the last flush
	at    time.Time
}

func (s *Store) partPath(id content.ID, ext string) string {
	return filepath.Join(s.dir, partDir, id.String()+ext)
}

// openPart opens what an earlier fetch of id left. Errors: ErrMap and I/O; the
// caller then starts from nothing.
func (s *Store) openPart(id content.ID) (*part, error) {
	raw, err := os.ReadFile(s.partPath(id, mapExt))
	if err != nil {
		return nil, err
	}
	m, err := decodeBitmap(raw)
	if err != nil {
		return nil, err
	}
	if m.id != id {
		return nil, fmt.Errorf("map of %s: %w", m.id, ErrMap)
	}
	if _, err := os.Stat(s.partPath(id, partExt)); err != nil {
		return nil, err
	}
	return s.newPart(m, 0)
}

// createPart starts a fetch from nothing.
func (s *Store) createPart(id content.ID, size uint64) (*part, error) {
	return s.newPart(newBitmap(id, size), os.O_TRUNC)
}

func (s *Store) newPart(m bitmap, flag int) (*part, error) {
	if err := s.reserve(m.size); err != nil {
		return nil, err
	}
	p := &part{store: s, m: m, at: time.Now()}
	var err error
	if p.data, err = os.OpenFile(s.partPath(m.id, partExt), os.O_RDWR|os.O_CREATE|flag, 0o600); err == nil {
		if err = p.data.Truncate(int64(m.size)); err == nil {
			p.cvs, err = os.OpenFile(s.partPath(m.id, treeExt), os.O_RDWR|os.O_CREATE|flag, 0o600)
		}
	}
	if err != nil {
		p.abandon()
		return nil, fmt.Errorf("blob store: %w", err)
	}
	return p, nil
}

// write puts a verified unit in its place.
func (p *part) write(i uint64, unit []byte) error {
	if _, err := p.data.WriteAt(unit, int64(i)*content.UnitSize); err != nil {
		return fmt.Errorf("blob store: %w", err)
	}
	return nil
}

// read returns a unit that the map says is there.
func (p *part) read(i uint64) ([]byte, error) {
	n, err := content.UnitLen(p.m.size, i)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := p.data.ReadAt(b, int64(i)*content.UnitSize); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}

// writePage keeps the values of a verified page for serving.
func (p *part) writePage(v content.Verified) error {
	buf := make([]byte, 0, v.Len()*cvSize)
	for _, cv := range v.CVs() {
		buf = append(buf, cv[:]...)
	}
	_, err := p.cvs.WriteAt(buf, int64(v.First())*int64(cvSize))
	return err
}

// due reports whether enough was written to replace the map.
func (p *part) due(now time.Time) bool {
	return p.dirty >= flushBytes || (p.dirty > 0 && now.Sub(p.at) >= flushTime)
}

// flush syncs the data and then replaces the map that vouches for it.
func (p *part) flush() error {
	path := p.store.partPath(p.m.id, mapExt)
	bits := p.m.encode()
	err := p.data.Sync()
	if err == nil {
		err = writeSync(path+".tmp", bits)
	}
	if err == nil {
		err = os.Rename(path+".tmp", path)
	}
	if err != nil {
		return fmt.Errorf("blob store: %w", err)
	}
	p.dirty, p.at = 0, time.Now()
	return nil
}

// finish makes the complete file a blob.
func (p *part) finish() error {
	if err := p.cvs.Close(); err != nil {
		return fmt.Errorf("blob store: %w", err)
	}
	if err := p.store.markGot(p.m.id); err != nil {
		return fmt.Errorf("blob store: %w", err)
	}
	if err := p.store.adopt(p.data, p.store.partPath(p.m.id, treeExt), p.m.id); err != nil {
		return err
	}
	_ = os.Remove(p.store.partPath(p.m.id, mapExt))
	return p.data.Close()
}

// abandon closes the files and gives the reserved bytes back; the files stay.
func (p *part) abandon() {
	if p.data != nil {
		_ = p.data.Close()
	}
	if p.cvs != nil {
		_ = p.cvs.Close()
	}
	p.store.release(p.m.size)
}

func writeSync(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
