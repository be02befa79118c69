// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/rpc/api"
)

// ErrContent reports bytes that are not those of the id that was asked for.
var ErrContent = errors.New("the node sent other content than was asked for")

// Download writes the blob id of size bytes to path, whatever its size. What came
// stays in path + ".part" until all is there and matches the id, so a download that
// was broken off goes on with the next call; a connection that breaks is taken up
// again as long as bytes come. progress may be nil. Errors: ErrUnreachable,
// ErrContent, *api.Error for content that the node has not, those of the file.
func (c *Client) Download(ctx context.Context, id content.ID, size uint64, path string, progress func(done, total uint64)) error {
	f, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	h := content.NewHasher()
	have, err := io.Copy(h, io.LimitReader(f, int64(size)))
	if err != nil {
		return err
	}
	sink := &sink{out: io.MultiWriter(f, h), done: uint64(have), total: size, progress: progress}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	for sink.done < size {
		before := sink.done
		if err := c.part(ctx, id, sink); err != nil && (sink.done == before || ctx.Err() != nil) {
			return err
		}
	}
	if h.ID() != id {
		return errors.Join(fmt.Errorf("%w: %v", ErrContent, id), os.Remove(f.Name()))
	}
	return errors.Join(f.Truncate(int64(size)), f.Sync(), os.Rename(f.Name(), path))
}

// sink takes the bytes of a download up to its size.
type sink struct {
	out         io.Writer
	done, total uint64
	progress    func(done, total uint64)
}

func (s *sink) Write(p []byte) (int, error) {
	if uint64(len(p)) > s.total-s.done {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrContent, s.total)
	}
	n, err := s.out.Write(p)
	s.done += uint64(n)
	if s.progress != nil {
		s.progress(s.done, s.total)
	}
	return n, err
}

// part asks for what is missing and writes what comes.
func (c *Client) part(ctx context.Context, id content.ID, s *sink) error {
	req, err := c.request(ctx, http.MethodGet, "/blob/"+id.String(), nil)
	if err != nil {
		return err
	}
	want := http.StatusOK
	if s.done > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", s.done))
		want = http.StatusPartialContent
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case want:
	case http.StatusNotFound:
		return api.NotFound("blob/" + id.String())
	case http.StatusRequestedRangeNotSatisfiable, http.StatusOK:
		return fmt.Errorf("%w: %v is not %d bytes long", ErrContent, id, s.total)
	default:
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("%s answered %s: %s", c.url, resp.Status, strings.TrimSpace(string(b)))
	}
	n, err := io.Copy(s, resp.Body)
	switch {
	case errors.Is(err, ErrContent):
		return err
	case err != nil:
		return c.unreachable(ctx, err)
	case n == 0:
		return fmt.Errorf("%w: %v is not %d bytes long", ErrContent, id, s.total)
	}
	return nil
}

// BlobAt reads parts of the blob id through the node, as they are asked for: each read
// is one request. What it reads is not checked against the id; Download is. Errors of
// reads: ErrUnreachable, *api.Error for content that the node has not.
func (c *Client) BlobAt(ctx context.Context, id content.ID) io.ReaderAt { return &blobAt{c, ctx, id} }

type blobAt struct {
	c   *Client
	ctx context.Context
	id  content.ID
}

// ReadAt implements io.ReaderAt.
func (b *blobAt) ReadAt(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	req, err := b.c.request(b.ctx, http.MethodGet, "/blob/"+b.id.String(), nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1))
	resp, err := b.c.http.Do(req)
	if err != nil {
		return 0, b.c.unreachable(b.ctx, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusPartialContent:
	case http.StatusNotFound:
		return 0, api.NotFound("blob/" + b.id.String())
	case http.StatusRequestedRangeNotSatisfiable:
		return 0, io.EOF
	default:
		return 0, fmt.Errorf("%s answered %s to a request for a part of %v", b.c.url, resp.Status, b.id)
	}
	n, err := io.ReadFull(resp.Body, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}
