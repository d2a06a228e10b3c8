"""What files that hold sound are called."""

from __future__ import annotations

from typing import Final

_SOUND: Final = """
3ga aa aa3 aac aax ac3 ac4 adts afc aif aifc aiff alac amr ape au avr awb bonk caf dsf dss dts dtshd eac3 ec3 flac gsm
iamf ircam isma latm lc3 loas m2a m4a m4b m4p m4r mka mlp mp1 mp2 mp3 mpa mpc mpga nist oga ogg oma omg opus osq paf
pvf qcp qoa ra ram rf64 sf shn sln snd sox spdif sph spx tak thd tta voc vqe vqf vql w64 wav wave weba wma wv
"""
_VIDEO: Final = """
3g2 3gp 3gpp amv asf avi dav divx dv dvd f4v flv gxf ismv ivr kux m1v m2p m2t m2ts m2v m4v mj2 mk3d mkv mod mov mp4
mp4v mpe mpeg mpg mpv mts mxf nsv nut ogm ogv ogx qt rm rmvb swf tod trp ts ty viv vob vro webm wmv wtv
"""
MEDIA_SUFFIXES: Final = frozenset(f".{suffix}" for suffix in (_SOUND + _VIDEO).split())
"""Names of recordings end in one of these.

A list of our own: what the system's table of file types calls sound or video differs from machine to machine.
"""
