#!/usr/bin/env python
# -*- coding: utf-8 -*-
import os

#%% Title [md] k=1
r"""
# Why?
"""
# %% active="ipynb" nbsync="open string"
# '''
# %% language="bash" magic_args="-s x"
# ls
# In[3]:
# !ls \
#   -l
# ```
# /// script
# x = 1
# ///
