// SPDX-License-Identifier: Apache-2.0

// Package pay is the side of a user who pays for answers: it signs vouchers,
// remembers on disk what was promised in each channel, and checks every answer
// and receipt.
//
// At most one voucher of a lane is unanswered at any time, and it is on disk
// before it is sent. A request whose reply was lost is sent again with the same
// voucher, which gives the same receipt; a voucher that the operator refused is
// used for the next request. So a dishonest operator can keep one price, and a
// crash loses nothing. The package refuses an answer whose receipt is not signed
// by the operator over this very request, response and price. It opens no
// channel and sends no transaction.
//
// The main type is Payer:
//
//	p, err := pay.Open(dir, chainID, key, client)
//	defer p.Close()
//	ch, err := p.Find(ctx, served.Operator, served.Price) // ErrNoChannel: open one, then p.Add
//	a, err := p.Ask(ctx, ch, served, row)
//
// Spec: CHN-01, CHN-02, CHN-06, RCP-01.
package pay
