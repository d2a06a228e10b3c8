"""Which containers and codecs are opened, and what their files are called.

FFmpeg brings hundreds of both, many of them from games of the nineties, tried by nobody with a hostile file: an ADX
header of zeros ends the process. So only what people send is opened, and what is not on these lists is never started.
"""

from __future__ import annotations

from typing import Final

DEMUXERS: Final = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dhav,dss,dts,dtshd,dv,eac3,flac,flv,gsm,ilbc,loas,m4v,matroska,mov,mp3,mpc,"
    "mpc8,mpeg,mpegts,mxf,nistsphere,nut,ogg,oma,qcp,rm,tak,truehd,tta,voc,w64,wav,wtv,wv"
)
"""FFmpeg's names of the containers that are opened. Each reads one stream of bytes and has sound in it."""

DECODERS: Final = (
    "aac,aac_latm,ac3,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,adpcm_swf,adpcm_yamaha,alac,amrnb,amrwb,ape,atrac3,"
    "atrac3plus,cook,dca,dss_sp,dvaudio,eac3,flac,g722,g723_1,g726,g726le,g729,gsm,gsm_ms,ilbc,libopencore_amrnb,"
    "libopencore_amrwb,libopus,mlp,mp1,mp1float,mp2,mp2float,mp3,mp3float,mpc7,mpc8,nellymoser,opus,pcm_alaw,"
    "pcm_bluray,pcm_dvd,pcm_f16le,pcm_f24le,pcm_f32be,pcm_f32le,pcm_f64be,pcm_f64le,pcm_mulaw,pcm_s16be,"
    "pcm_s16be_planar,pcm_s16le,pcm_s16le_planar,pcm_s24be,pcm_s24le,pcm_s24le_planar,pcm_s32be,pcm_s32le,"
    "pcm_s32le_planar,pcm_s64be,pcm_s64le,pcm_s8,pcm_s8_planar,pcm_u16be,pcm_u16le,pcm_u24be,pcm_u24le,pcm_u32be,"
    "pcm_u32le,pcm_u8,qcelp,real_144,real_288,s302m,sipr,speex,tak,truehd,truespeech,tta,vorbis,wavpack,wmalossless,"
    "wmapro,wmav1,wmav2,wmavoice"
)
"""FFmpeg's names of the decoders that are started. AVI, MOV and NUT may name any other."""

_SOUND: Final = """
3ga aa3 aac aax ac3 adts afc aif aifc aiff alac amr ape au awb caf dss dts dtshd eac3 ec3 flac gsm ilbc isma latm loas
m2a m4a m4b m4p m4r mka mlp mp1 mp2 mp3 mpa mpc mpga nist oga ogg oma omg opus qcp ra ram rf64 snd sph spx tak thd tta
voc w64 wav wave weba wma wv
"""
_VIDEO: Final = """
3g2 3gp 3gpp asf avi dav divx dv dvd f4v flv ismv kux m1v m2p m2t m2ts m2v m4v mj2 mk3d mkv mod mov mp4 mp4v mpe mpeg
mpg mpv mts mxf nut ogm ogv ogx qt rm rmvb tod trp ts vob vro webm wmv wtv
"""
MEDIA_SUFFIXES: Final = frozenset(f".{suffix}" for suffix in (_SOUND + _VIDEO).split())
"""Names of recordings end in one of these.

A list of our own: what the system's table of file types calls sound or video differs from machine to machine.
"""
