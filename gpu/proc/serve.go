// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"fmt"
	"io"

	"github.com/openledger/openledger/gpu"
	"github.com/openledger/openledger/internal/fx"
	"github.com/openledger/openledger/poa/program"
)

// Serve answers requests for d until the other side closes the device or is gone.
// shared is the transfer memory. It closes d. All calls of d come from this
// goroutine. Errors: a message that does not decode; io.EOF is none.
func Serve(r io.Reader, w io.Writer, shared []byte, d gpu.Device) error {
	s := server{dev: d, shared: shared, buffers: map[uint64]gpu.Buffer{}}
	defer d.Close()
	for {
		var q request
		if err := receive(r, &q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("request: %w", err)
		}
		if err := send(w, s.answer(q)); err != nil {
			return fmt.Errorf("reply: %w", err)
		}
		if q.Kind == kindClose {
			return nil
		}
	}
}

type server struct {
	dev     gpu.Device
	shared  []byte
	buffers map[uint64]gpu.Buffer // by number
	last    uint64
}

func (s *server) answer(q request) reply {
	var r reply
	var err error
	switch q.Kind {
	case kindInfo:
		i := s.dev.Info()
		r.Info = info{Name: i.Name, Backend: i.Backend, Class: i.Class, UUID: i.UUID, Memory: i.Memory, Threads: uint64(max(i.Threads, 0))}
	case kindAlloc:
		r, err = s.keep(s.dev.Alloc(fx.Type(q.Type), q.Buf.Len))
	case kindFree:
		err = s.free(q.Buf.Buf)
	case kindUpload, kindDownload:
		err = s.transfer(q)
	case kindRun:
		for _, one := range q.Runs {
			if err = s.run(one); err != nil {
				break
			}
		}
	case kindSync:
		err = s.dev.Sync()
	case kindClose:
		err = s.dev.Close()
	default:
		err = fmt.Errorf("%w: request of unknown kind %d", gpu.ErrArgs, q.Kind)
	}
	if err != nil {
		return failure(err)
	}
	return r
}

func (s *server) keep(b gpu.Buffer, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	if len(s.buffers) >= maxBuffers {
		return reply{}, fmt.Errorf("%w: %d buffers", gpu.ErrMemory, len(s.buffers))
	}
	s.last++
	s.buffers[s.last] = b
	g := b.Region()
	return reply{Buf: s.last, Region: [3]uint64{g.ID, g.Off, g.Len}}, nil
}

// of is a part of a buffer. A view costs nothing and is forgotten after the request.
func (s *server) of(p part) (gpu.Buffer, error) {
	b, ok := s.buffers[p.Buf]
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: no buffer %d", gpu.ErrArgs, p.Buf)
	case p.Off == 0 && p.Len == b.Len():
		return b, nil
	}
	return s.dev.View(b, p.Off, p.Len)
}

func (s *server) free(number uint64) error {
	b, ok := s.buffers[number]
	if !ok {
		return fmt.Errorf("%w: no buffer %d", gpu.ErrArgs, number)
	}
	delete(s.buffers, number)
	return s.dev.Free(b)
}

func (s *server) transfer(q request) error {
	b, err := s.of(q.Buf)
	if err != nil {
		return err
	}
	size := b.Type().Size()
	if b.Len() > uint64(len(s.shared))/size {
		return fmt.Errorf("%w: %d elements do not fit the shared memory", gpu.ErrArgs, b.Len())
	}
	data := s.shared[:b.Len()*size]
	if q.Kind == kindUpload {
		return s.dev.Upload(b, data)
	}
	return s.dev.Download(data, b)
}

func (s *server) run(r launch) error {
	n, err := program.DecodeNode(r.Node)
	if err != nil {
		return fmt.Errorf("%w: %w", gpu.ErrArgs, err)
	}
	in := make([]gpu.Buffer, len(r.In))
	for i, p := range r.In {
		if in[i], err = s.of(p); err != nil {
			return err
		}
	}
	out, err := s.of(r.Out)
	if err != nil {
		return err
	}
	return s.dev.Run(n, in, out)
}
