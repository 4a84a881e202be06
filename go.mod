module github.com/facesoft/lapse

go 1.26.8
