package traffic

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
)

// appendJPEG appends a JPEG of the given size that shows a coloured gradient
// under noise.
func appendJPEG(b []byte, r *rand.Rand, width, height int) ([]byte, error) {
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	from, to := randomColour(r), randomColour(r)
	noise := 20 + r.IntN(30)
	for y := range height {
		for x := range width {
			dim := r.IntN(noise)
			at := (x + y) * 256 / (width + height)
			blend := func(a, b uint8) uint8 { return uint8(max((int(a)*(256-at)+int(b)*at)/256-dim, 0)) }
			picture.SetRGBA(x, y, color.RGBA{blend(from.R, to.R), blend(from.G, to.G), blend(from.B, to.B), 255})
		}
	}
	out := bytes.NewBuffer(b)
	if err := jpeg.Encode(out, picture, &jpeg.Options{Quality: 70}); err != nil {
		return nil, fmt.Errorf("encode image: %w", err)
	}
	return out.Bytes(), nil
}

func randomColour(r *rand.Rand) color.RGBA {
	bits := r.Uint32()
	return color.RGBA{uint8(bits), uint8(bits >> 8), uint8(bits >> 16), 255}
}

// appendEmbedding appends 128 numbers of 32 bits, as a face model would make of
// an image.
func appendEmbedding(b []byte, r *rand.Rand) []byte {
	for range 128 {
		bits := r.Uint32()
		b = append(b, byte(bits), byte(bits>>8), byte(bits>>16), 0x3c|byte(bits>>24)&0x81)
	}
	return b
}
