/* SPDX-License-Identifier: Apache-2.0 */
/* FFmpeg's libraries, and the macros of theirs that Swift cannot import. */
#pragma once
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/cpu.h>
#include <libavutil/hwcontext.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

/* Named by C: AVERROR(EAGAIN), AVERROR_EOF, AV_NOPTS_VALUE. */
static const int apus_averror_eagain = AVERROR(EAGAIN);
static const int apus_averror_eof = AVERROR_EOF;
static const int64_t apus_av_nopts_value = AV_NOPTS_VALUE;
