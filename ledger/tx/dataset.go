// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"github.com/openledger/openledger/internal/content"
	"github.com/openledger/openledger/internal/fixed"
	"github.com/openledger/openledger/poa/program"
)

// Bounds of DatasetUpload.
const (
	MaxName         = 64
	MaxDatasetRows  = 1 << 24
	MaxDatasetBytes = 1 << 36
	MaxTextBytes    = 64 << 20 // of a text
)

// DatasetUpload (0301) registers a dataset in a Datanet: a table, or with Features
// = 0 a text, whose rows are its lines that are not blank. Content is the BLAKE3 id
// of the file's bytes, RowRoot the root over its rows (LIN-01), Manifest the SHA-256
// id of the manifest. Stake is in base units. Spec: DAT-02.
type DatasetUpload struct {
	_        struct{}     `cbor:",toarray"`
	Datanet  ID           `json:"datanet"`
	Name     string       `json:"name"`
	Content  content.ID   `json:"content_cid"`
	RowRoot  ID           `json:"row_root"`
	Manifest content.ID   `json:"manifest_cid"`
	Rows     uint64       `json:"rows"`
	Features uint64       `json:"features"`
	Bytes    uint64       `json:"bytes"`
	Terms    ID           `json:"terms"`
	Stake    fixed.Amount `json:"stake"`
}

// Kind implements Payload.
func (*DatasetUpload) Kind() Kind { return KindDatasetUpload }

// Writes implements Payload: sender, deposits, items, object, content, row root.
func (*DatasetUpload) Writes() uint64 { return 6 }

// Check implements Payload.
func (p *DatasetUpload) Check() error {
	most := uint64(MaxDatasetBytes)
	if p.Features == 0 {
		most = MaxTextBytes
	}
	return checks(
		object("datanet", p.Datanet),
		name("name", p.Name, MaxName),
		blake3("content_cid", p.Content),
		object("row_root", p.RowRoot),
		sha256cid("manifest_cid", p.Manifest),
		within("rows", p.Rows, 1, MaxDatasetRows),
		within("features", p.Features, 0, program.MaxFeatures),
		within("bytes", p.Bytes, 1, most),
		object("terms", p.Terms),
		positive("stake", p.Stake),
	)
}
